#include <cblas.h>
#include <dlfcn.h>
#include <stddef.h>

// OpenBLAS runs each product on the calling thread alone. Its own count of threads is one for the whole process, but a
// build for OpenMP asks OpenMP, which keeps a count for each calling thread: so every thread sets its own, once.
static inline void vifi_blas_alone(void) {
    static _Thread_local int is_set;
    if (is_set) return;
    is_set = 1;
    if (openblas_get_parallel() != OPENBLAS_OPENMP) return;
    void (*set_threads)(int);
    // Found at run time, since it belongs to whichever OpenMP the library was linked with.
    *(void **)&set_threads = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (set_threads) set_threads(1);
}
