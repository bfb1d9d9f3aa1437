#define _GNU_SOURCE
#ifdef VIFI_ONEDNN

#include "primitive.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    // A power of two; a run has some tens of shapes, a few hundred with many classes.
    table_slots = 1024,
    table_limit = 768,
    // The packed layout does not depend on the number of rows; this is what the layout is asked for.
    usual_rows = 448,
};

// MARK: The library

static pthread_once_t started = PTHREAD_ONCE_INIT;
static pthread_key_t thread_key;
static dnnl_engine_t engine;
static vifi_onednn_status status = VIFI_ONEDNN_BROKEN;
static int (*get_thread_count)(void);
static void (*set_thread_count)(int);
static char version[32];

static void free_thread(void *pointer);

static int has_fp32, has_bf16, has_int8;

static int has(dnnl_cpu_isa_t instructions) { return (dnnl_get_effective_cpu_isa() & instructions) == instructions; }

static void start(void) {
#if DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_OMP
    // Found at run time, since it belongs to whichever OpenMP the library was linked with.
    *(void **)&get_thread_count = dlsym(RTLD_DEFAULT, "omp_get_max_threads");
    *(void **)&set_thread_count = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (!get_thread_count || !set_thread_count) {
        status = VIFI_ONEDNN_OTHER_THREADS;
        return;
    }
#elif DNNL_CPU_THREADING_RUNTIME == DNNL_RUNTIME_TBB
    status = VIFI_ONEDNN_OTHER_THREADS;
    return;
#endif
    const dnnl_version_t *numbers = dnnl_version();
    snprintf(version, sizeof version, "%d.%d.%d", numbers->major, numbers->minor, numbers->patch);
    if (numbers->major != DNNL_VERSION_MAJOR) return;  // Headers and library do not belong together.
    has_fp32 = has(dnnl_cpu_isa_avx512_core);
    has_bf16 = has(dnnl_cpu_isa_avx512_core_bf16);
    has_int8 = has(dnnl_cpu_isa_avx512_core_vnni);
    if (pthread_key_create(&thread_key, free_thread) != 0) return;
    if (dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success) return;
    status = VIFI_ONEDNN_READY;
}

vifi_onednn_status vifi_onednn_state(vifi_numbers numbers) {
    pthread_once(&started, start);
    return status == VIFI_ONEDNN_READY && !(numbers == VIFI_BF16 ? has_bf16 : has_int8) ? VIFI_ONEDNN_NO_PROCESSOR : status;
}

const char *vifi_onednn_version(void) {
    pthread_once(&started, start);
    return version;
}

// Our workers run side by side: oneDNN must not multiply them. OpenMP keeps its number of threads for each
// calling thread; whoever called gets back what it had.
static int enter_alone(void) {
    if (!set_thread_count) return 0;
    const int before = get_thread_count();
    if (before != 1) set_thread_count(1);
    return before;
}

static void leave_alone(int before) {
    if (set_thread_count && before != 1) set_thread_count(before);
}

int vifi_fp32_multiply(int left_transposed, int right_transposed, ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t inner,
                       float scale, const float *left, ptrdiff_t left_stride, const float *right,
                       ptrdiff_t right_stride, int adding, float *output, ptrdiff_t output_stride) {
    pthread_once(&started, start);
    if (!has_fp32) return -1;
    const int before = enter_alone();
    const dnnl_status_t result =
        dnnl_sgemm(left_transposed ? 'T' : 'N', right_transposed ? 'T' : 'N', rows, columns, inner, scale, left,
                   left_stride, right, right_stride, adding ? 1.0f : 0.0f, output, output_stride);
    leave_alone(before);
    return result == dnnl_success ? 0 : -1;
}

// MARK: What a thread owns

typedef struct {
    vifi_product_key key;
    dnnl_primitive_t primitive;  // NULL in an empty slot
    dnnl_memory_t left, right, bias, output, scratchpad;
} product;

typedef struct {
    dnnl_stream_t stream;
    product *table;
    int count;
    void *scratch[VIFI_SCRATCH_COUNT];
    size_t scratch_bytes[VIFI_SCRATCH_COUNT];
} thread_state;

static void free_product(product *p) {
    if (p->left) dnnl_memory_destroy(p->left);
    if (p->right) dnnl_memory_destroy(p->right);
    if (p->bias) dnnl_memory_destroy(p->bias);
    if (p->output) dnnl_memory_destroy(p->output);
    if (p->scratchpad) dnnl_memory_destroy(p->scratchpad);
    if (p->primitive) dnnl_primitive_destroy(p->primitive);
    memset(p, 0, sizeof *p);
}

static void clear_table(thread_state *thread) {
    for (int slot = 0; slot < table_slots; slot++)
        if (thread->table[slot].primitive) free_product(&thread->table[slot]);
    thread->count = 0;
}

static void free_thread(void *pointer) {
    thread_state *thread = pointer;
    if (thread->table) clear_table(thread);
    free(thread->table);
    for (int index = 0; index < VIFI_SCRATCH_COUNT; index++) free(thread->scratch[index]);
    if (thread->stream) dnnl_stream_destroy(thread->stream);
    free(thread);
}

static thread_state *this_thread(void) {
    thread_state *thread = pthread_getspecific(thread_key);
    if (thread) return thread;
    thread = calloc(1, sizeof *thread);
    if (!thread) return NULL;
    thread->table = calloc(table_slots, sizeof *thread->table);
    if (!thread->table || dnnl_stream_create(&thread->stream, engine, dnnl_stream_default_flags) != dnnl_success
        || pthread_setspecific(thread_key, thread) != 0) {
        free_thread(thread);
        return NULL;
    }
    return thread;
}

void *vifi_aligned_bytes(size_t bytes) { return aligned_alloc(64, (bytes + 127) & ~(size_t)63); }

static void *scratch(thread_state *thread, vifi_scratch_use index, size_t bytes) {
    if (thread->scratch[index] && thread->scratch_bytes[index] >= bytes) return thread->scratch[index];
    free(thread->scratch[index]);
    thread->scratch[index] = vifi_aligned_bytes(bytes);
    thread->scratch_bytes[index] = thread->scratch[index] ? bytes : 0;
    return thread->scratch[index];
}

void *vifi_scratch(vifi_scratch_use index, size_t bytes) {
    thread_state *thread = this_thread();
    return thread ? scratch(thread, index, bytes) : NULL;
}

static int memory(dnnl_memory_t *result, const vifi_layout *layout, void *handle) {
    return dnnl_memory_create(result, VIFI_DESCRIPTOR(layout), engine, handle) != dnnl_success;
}

// MARK: Products

// `bias` may be NULL.
static int product_description(dnnl_primitive_desc_t *result, const vifi_layout *left, const vifi_layout *right,
                               const vifi_layout *bias, const vifi_layout *output, int is_adding) {
    dnnl_primitive_attr_t attributes = NULL;
    dnnl_post_ops_t after = NULL;
    *result = NULL;
    if (dnnl_primitive_attr_create(&attributes) != dnnl_success) return -1;
    // Scratch memory of ours: a primitive's own would not survive two threads.
    int failed = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) != dnnl_success;
    if (!failed && is_adding) {
        failed = dnnl_post_ops_create(&after) != dnnl_success;
#if DNNL_VERSION_MAJOR < 3
        failed = failed || dnnl_post_ops_append_sum(after, 1) != dnnl_success;
#else
        failed = failed || dnnl_post_ops_append_sum(after, 1, 0, dnnl_data_type_undef) != dnnl_success;
#endif
        failed = failed || dnnl_primitive_attr_set_post_ops(attributes, after) != dnnl_success;
    }
    if (!failed) {
#if DNNL_VERSION_MAJOR < 3
        dnnl_matmul_desc_t operation;
        failed = dnnl_matmul_desc_init(&operation, VIFI_DESCRIPTOR(left), VIFI_DESCRIPTOR(right),
                                       bias ? VIFI_DESCRIPTOR(bias) : NULL, VIFI_DESCRIPTOR(output)) != dnnl_success
                 || dnnl_primitive_desc_create(result, &operation, attributes, engine, NULL) != dnnl_success;
#else
        failed = dnnl_matmul_primitive_desc_create(result, engine, VIFI_DESCRIPTOR(left), VIFI_DESCRIPTOR(right),
                                                   bias ? VIFI_DESCRIPTOR(bias) : NULL, VIFI_DESCRIPTOR(output),
                                                   attributes) != dnnl_success;
#endif
    }
    if (after) dnnl_post_ops_destroy(after);
    dnnl_primitive_attr_destroy(attributes);
    return failed ? -1 : 0;
}

static dnnl_data_type_t left_type(vifi_numbers numbers) { return numbers == VIFI_BF16 ? dnnl_bf16 : dnnl_u8; }
static dnnl_data_type_t right_type(vifi_numbers numbers) { return numbers == VIFI_BF16 ? dnnl_bf16 : dnnl_s8; }
static dnnl_data_type_t sum_type(vifi_numbers numbers) { return numbers == VIFI_BF16 ? dnnl_f32 : dnnl_s32; }

int vifi_factor_layout(vifi_numbers numbers, ptrdiff_t inner, ptrdiff_t columns, vifi_layout *layout) {
    if (!this_thread()) return -1;
    vifi_layout left = {0}, right = {0}, output = {0};
    dnnl_primitive_desc_t description = NULL;
    const int before = enter_alone();
    const int failed = vifi_strided_layout(&left, left_type(numbers), usual_rows, inner, inner, 1)
                       || vifi_any_layout(&right, right_type(numbers), inner, columns)
                       || vifi_strided_layout(&output, sum_type(numbers), usual_rows, columns, columns, 1)
                       || product_description(&description, &left, &right, NULL, &output, 0)
                       || vifi_queried_layout(layout, description, dnnl_query_weights_md);
    leave_alone(before);
    if (description) dnnl_primitive_desc_destroy(description);
    vifi_layout_free(&left);
    vifi_layout_free(&right);
    vifi_layout_free(&output);
    return failed ? -1 : 0;
}

static int make_product(thread_state *thread, product *p, const vifi_product_key *key, const vifi_layout *right_layout) {
    vifi_layout left = {0}, right = {0}, bias = {0}, output = {0}, scratchpad = {0};
    dnnl_primitive_desc_t description = NULL;
    const ptrdiff_t left_row = key->is_left_transposed ? 1 : key->inner;
    const ptrdiff_t left_column = key->is_left_transposed ? key->rows : 1;
    const ptrdiff_t right_row = key->is_right_transposed ? 1 : key->columns;
    const ptrdiff_t right_column = key->is_right_transposed ? key->inner : 1;
    int failed = vifi_strided_layout(&left, left_type(key->numbers), key->rows, key->inner, left_row, left_column)
                 || vifi_strided_layout(&output, key->is_output_half ? dnnl_bf16 : sum_type(key->numbers), key->rows, key->columns,
                                        key->columns, 1)
                 || (key->has_bias && vifi_strided_layout(&bias, dnnl_f32, 1, key->columns, key->columns, 1))
                 || (!right_layout
                     && vifi_strided_layout(&right, right_type(key->numbers), key->inner, key->columns, right_row, right_column));
    const vifi_layout *used = right_layout ? right_layout : &right;
    failed = failed || product_description(&description, &left, used, key->has_bias ? &bias : NULL, &output, key->is_adding)
             || vifi_queried_layout(&scratchpad, description, dnnl_query_scratchpad_md)
             || dnnl_primitive_create(&p->primitive, description) != dnnl_success
             || !scratch(thread, VIFI_SCRATCH_ONEDNN, vifi_layout_bytes(&scratchpad)) || memory(&p->left, &left, DNNL_MEMORY_NONE)
             || (key->has_bias && memory(&p->bias, &bias, DNNL_MEMORY_NONE))
             || memory(&p->right, used, DNNL_MEMORY_NONE) || memory(&p->output, &output, DNNL_MEMORY_NONE)
             || memory(&p->scratchpad, &scratchpad, DNNL_MEMORY_NONE);
    if (description) dnnl_primitive_desc_destroy(description);
    vifi_layout_free(&left);
    vifi_layout_free(&right);
    vifi_layout_free(&bias);
    vifi_layout_free(&output);
    vifi_layout_free(&scratchpad);
    if (failed) {
        free_product(p);
        return -1;
    }
    p->key = *key;
    return 0;
}

static size_t hash(const vifi_product_key *key) {
    const uint64_t numbers[] = {
        (uint64_t)key->rows, (uint64_t)key->columns, (uint64_t)key->inner,
        (uint64_t)(key->is_left_transposed | key->is_right_packed << 1 | key->is_adding << 2 | key->is_right_transposed << 3
                   | key->has_bias << 4 | key->is_output_half << 5 | (int)key->numbers << 6),
    };
    uint64_t sum = 0xCBF29CE484222325u;  // FNV-1a, a number at a time
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) sum = (sum ^ numbers[i]) * 0x100000001B3u;
    return (size_t)(sum >> 32 ^ sum);
}

static int is_same(const vifi_product_key *a, const vifi_product_key *b) {
    return a->numbers == b->numbers && a->rows == b->rows && a->columns == b->columns && a->inner == b->inner
           && a->is_left_transposed == b->is_left_transposed && a->is_right_transposed == b->is_right_transposed
           && a->is_right_packed == b->is_right_packed && a->is_adding == b->is_adding && a->has_bias == b->has_bias
           && a->is_output_half == b->is_output_half;
}

static product *find_product(thread_state *thread, const vifi_product_key *key, const vifi_layout *right_layout) {
    if (thread->count >= table_limit) clear_table(thread);
    size_t slot = hash(key) % table_slots;
    while (thread->table[slot].primitive) {
        if (is_same(&thread->table[slot].key, key)) return &thread->table[slot];
        slot = (slot + 1) % table_slots;
    }
    if (make_product(thread, &thread->table[slot], key, right_layout) != 0) return NULL;
    thread->count++;
    return &thread->table[slot];
}

static int run(const vifi_product_key *key, const vifi_layout *right_layout, const void *left, const void *right,
               const float *bias, void *output) {
    thread_state *thread = this_thread();
    product *p = thread ? find_product(thread, key, right_layout) : NULL;
    if (!p) return -1;
    // oneDNN's handles are not const; sources are only read.
    if (dnnl_memory_set_data_handle(p->left, (void *)(uintptr_t)left) != dnnl_success
        || dnnl_memory_set_data_handle(p->right, (void *)(uintptr_t)right) != dnnl_success
        || (bias && dnnl_memory_set_data_handle(p->bias, (void *)(uintptr_t)bias) != dnnl_success)
        || dnnl_memory_set_data_handle(p->output, output) != dnnl_success
        || dnnl_memory_set_data_handle(p->scratchpad, thread->scratch[VIFI_SCRATCH_ONEDNN]) != dnnl_success)
        return -1;
    const dnnl_exec_arg_t arguments[] = {
        {DNNL_ARG_SRC, p->left},
        {DNNL_ARG_WEIGHTS, p->right},
        {DNNL_ARG_DST, p->output},
        {DNNL_ARG_SCRATCHPAD, p->scratchpad},
        {DNNL_ARG_BIAS, p->bias},
    };
    return dnnl_primitive_execute(p->primitive, thread->stream, bias ? 5 : 4, arguments) != dnnl_success
           || dnnl_stream_wait(thread->stream) != dnnl_success;
}

int vifi_run_product(const vifi_product_key *key, const vifi_layout *right_layout, const void *left, const void *right,
                     const float *bias, void *output) {
    const int before = enter_alone();
    const int failed = run(key, right_layout, left, right, bias, output);
    leave_alone(before);
    return failed;
}

int vifi_reorder(dnnl_data_type_t type, const void *values, ptrdiff_t row_stride, ptrdiff_t column_stride,
                 ptrdiff_t rows, ptrdiff_t columns, const vifi_layout *layout, void *target) {
    thread_state *thread = this_thread();
    if (!thread) return -1;
    vifi_layout source = {0};
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_memory_t from = NULL, to = NULL;
    const int before = enter_alone();
    int failed = vifi_strided_layout(&source, type, rows, columns, row_stride, column_stride)
                 || dnnl_reorder_primitive_desc_create(&description, VIFI_DESCRIPTOR(&source), engine,
                                                       VIFI_DESCRIPTOR(layout), engine, NULL) != dnnl_success
                 || dnnl_primitive_create(&reorder, description) != dnnl_success
                 || memory(&from, &source, (void *)(uintptr_t)values) || memory(&to, layout, target);
    if (!failed) {
        const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
        failed = dnnl_primitive_execute(reorder, thread->stream, 2, arguments) != dnnl_success
                 || dnnl_stream_wait(thread->stream) != dnnl_success;
    }
    leave_alone(before);
    if (from) dnnl_memory_destroy(from);
    if (to) dnnl_memory_destroy(to);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (description) dnnl_primitive_desc_destroy(description);
    vifi_layout_free(&source);
    return failed ? -1 : 0;
}

#endif
