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

// The few routines of LAPACK that are needed. OpenBLAS holds them, but Debian's build has no header for them. Fortran
// takes the length of each string behind the other arguments.
void dpotrf_(const char *, const blasint *, double *, const blasint *, blasint *, size_t);
void dpotrs_(const char *, const blasint *, const blasint *, const double *, const blasint *, double *, const blasint *,
             blasint *, size_t);
void dpotri_(const char *, const blasint *, double *, const blasint *, blasint *, size_t);
void dsyevd_(const char *, const char *, const blasint *, double *, const blasint *, double *, double *, const blasint *,
             blasint *, const blasint *, blasint *, size_t, size_t);

// Factors a symmetric matrix in place; only the lower triangle of the columns is read. 0 where it is positive definite.
static inline int vifi_cholesky(blasint n, double *a) {
    blasint info = 0;
    dpotrf_("L", &n, a, &n, &info, 1);
    return (int)info;
}

static inline int vifi_cholesky_solve(blasint n, blasint columns, const double *factor, double *b) {
    blasint info = 0;
    dpotrs_("L", &n, &columns, factor, &n, b, &n, &info, 1);
    return (int)info;
}

// The inverse from the factor, in place, in the lower triangle of the columns.
static inline int vifi_cholesky_inverse(blasint n, double *factor) {
    blasint info = 0;
    dpotri_("L", &n, factor, &n, &info, 1);
    return (int)info;
}

// Eigenvalues, smallest first, and eigenvectors, which take the matrix's place. With `work_count` -1 only the sizes of
// the scratch memory are written, to `work` and `integers`.
static inline int vifi_symmetric_eigen(blasint n, double *a, double *eigenvalues, double *work, blasint work_count,
                                       blasint *integers, blasint integer_count) {
    blasint info = 0;
    dsyevd_("V", "L", &n, a, &n, eigenvalues, work, &work_count, integers, &integer_count, &info, 1, 1);
    return (int)info;
}
