// MPI as functions: its handles are macros, which Swift cannot import. Compiled without VIFI_MPI nothing of
// MPI is there, and vifi_mpi_is_built says so.
//
// Only the thread that called vifi_mpi_start may call the others. All functions but the first three return
// zero on success, else a code that vifi_mpi_error_text puts into words.
#ifndef VIFI_MPI_H
#define VIFI_MPI_H

#include <stddef.h>

// Whether the program was built with MPI.
int vifi_mpi_is_built(void);

// Version of the library that is there at run time, "Open MPI v4.1.4"; "" without it. Never freed.
const char *vifi_mpi_version(void);

// Words for a code that a function here has returned. Overwritten by the next call.
const char *vifi_mpi_error_text(int code);

// Joins the processes that were started together; errors are returned from then on.
int vifi_mpi_start(int *rank, int *count);

// Leaves them. All processes must call it.
int vifi_mpi_finish(void);

// Ends all processes with this exit status, from any of them.
_Noreturn void vifi_mpi_abort(int status);

int vifi_mpi_barrier(void);

// Buffers of any size: they travel in parts.
int vifi_mpi_send(const void *bytes, size_t count, int receiver);
int vifi_mpi_receive(void *bytes, size_t count, int sender);

// Sends and receives at the same time; both buffers have their own length.
int vifi_mpi_exchange(const void *outgoing, size_t outgoing_count, int receiver,
                      void *incoming, size_t incoming_count, int sender);

// What `sender` has in `bytes` is copied to all.
int vifi_mpi_broadcast(void *bytes, size_t count, int sender);

#endif
