// Only COpenMPI includes this; pkg-config's `ompi-c` says where the header and the library are.
#include <mpi.h>
