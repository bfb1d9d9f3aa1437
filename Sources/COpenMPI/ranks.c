#include "COpenMPI.h"

#include <stdlib.h>

#ifndef VIFI_MPI

enum { not_built = -1 };

int vifi_mpi_is_built(void) { return 0; }
const char *vifi_mpi_version(void) { return ""; }
const char *vifi_mpi_error_text(int code) {
    (void)code;
    return "the program was built without MPI";
}
int vifi_mpi_start(int *rank, int *count) {
    *rank = 0, *count = 1;
    return not_built;
}
int vifi_mpi_finish(void) { return not_built; }
_Noreturn void vifi_mpi_abort(int status) { exit(status); }
int vifi_mpi_barrier(void) { return not_built; }
int vifi_mpi_send(const void *bytes, size_t count, int receiver) {
    (void)bytes, (void)count, (void)receiver;
    return not_built;
}
int vifi_mpi_receive(void *bytes, size_t count, int sender) {
    (void)bytes, (void)count, (void)sender;
    return not_built;
}
int vifi_mpi_exchange(const void *outgoing, size_t outgoing_count, int receiver,
                      void *incoming, size_t incoming_count, int sender) {
    (void)outgoing, (void)outgoing_count, (void)receiver, (void)incoming, (void)incoming_count, (void)sender;
    return not_built;
}
int vifi_mpi_broadcast(void *bytes, size_t count, int sender) {
    (void)bytes, (void)count, (void)sender;
    return not_built;
}

#else

#include <mpi.h>
#include <string.h>

enum { tag = 7 };

// MPI counts in int.
static const size_t part_bytes = (size_t)1 << 30;

static size_t part(size_t left) { return left < part_bytes ? left : part_bytes; }

int vifi_mpi_is_built(void) { return 1; }

const char *vifi_mpi_version(void) {
    static char text[MPI_MAX_LIBRARY_VERSION_STRING];
    int length;
    // May be called before MPI is started.
    if (!text[0] && MPI_Get_library_version(text, &length) != MPI_SUCCESS) text[0] = 0;
    // "Open MPI v4.1.4, package: …"
    text[strcspn(text, ",\n")] = 0;
    return text;
}

const char *vifi_mpi_error_text(int code) {
    static char text[MPI_MAX_ERROR_STRING];
    int length;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS) strcpy(text, "unknown error");
    return text;
}

int vifi_mpi_start(int *rank, int *count) {
    int provided;
    int code = MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided);
    if (code == MPI_SUCCESS) code = MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (code == MPI_SUCCESS) code = MPI_Comm_rank(MPI_COMM_WORLD, rank);
    if (code == MPI_SUCCESS) code = MPI_Comm_size(MPI_COMM_WORLD, count);
    return code;
}

int vifi_mpi_finish(void) { return MPI_Finalize(); }

_Noreturn void vifi_mpi_abort(int status) {
    MPI_Abort(MPI_COMM_WORLD, status);
    exit(status);
}

int vifi_mpi_barrier(void) { return MPI_Barrier(MPI_COMM_WORLD); }

int vifi_mpi_send(const void *bytes, size_t count, int receiver) {
    const char *next = bytes;
    do {
        size_t length = part(count);
        int code = MPI_Send(next, (int)length, MPI_BYTE, receiver, tag, MPI_COMM_WORLD);
        if (code != MPI_SUCCESS) return code;
        next += length, count -= length;
    } while (count);
    return 0;
}

int vifi_mpi_receive(void *bytes, size_t count, int sender) {
    char *next = bytes;
    do {
        size_t length = part(count);
        int code = MPI_Recv(next, (int)length, MPI_BYTE, sender, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        if (code != MPI_SUCCESS) return code;
        next += length, count -= length;
    } while (count);
    return 0;
}

int vifi_mpi_exchange(const void *outgoing, size_t outgoing_count, int receiver,
                      void *incoming, size_t incoming_count, int sender) {
    MPI_Request request;
    // What is left over beyond one part on either side goes alone, in the order in which the other side expects it.
    size_t out = part(outgoing_count), in = part(incoming_count);
    int code = MPI_Irecv(incoming, (int)in, MPI_BYTE, sender, tag, MPI_COMM_WORLD, &request);
    if (code == MPI_SUCCESS) code = MPI_Send(outgoing, (int)out, MPI_BYTE, receiver, tag, MPI_COMM_WORLD);
    if (code == MPI_SUCCESS) code = MPI_Wait(&request, MPI_STATUS_IGNORE);
    if (code != MPI_SUCCESS || (out == outgoing_count && in == incoming_count)) return code;
    return vifi_mpi_exchange((const char *)outgoing + out, outgoing_count - out, receiver, (char *)incoming + in,
                             incoming_count - in, sender);
}

int vifi_mpi_broadcast(void *bytes, size_t count, int sender) {
    char *next = bytes;
    do {
        size_t length = part(count);
        int code = MPI_Bcast(next, (int)length, MPI_BYTE, sender, MPI_COMM_WORLD);
        if (code != MPI_SUCCESS) return code;
        next += length, count -= length;
    } while (count);
    return 0;
}

#endif
