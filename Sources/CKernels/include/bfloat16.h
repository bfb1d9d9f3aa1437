// float32 to bfloat16, its upper half: 8 bits of exponent, 7 of fraction.
#ifndef VIFI_BFLOAT16_H
#define VIFI_BFLOAT16_H

#include <stddef.h>
#include <stdint.h>

// Rows `input_stride` floats apart to rows without gaps. Rounds to nearest, ties to even; NaN stays NaN.
void vifi_to_bfloat16(const float *input, ptrdiff_t input_stride, uint16_t *output, ptrdiff_t rows, ptrdiff_t width);

// The operations of transformer.h from and to rows of bfloat16 without gaps; computed in float32.
void vifi_layer_norm_bf16(const float *input, ptrdiff_t input_stride, const float *weight, const float *bias,
                          uint16_t *output, float *mean, float *inverse_deviation, ptrdiff_t rows, ptrdiff_t width,
                          float epsilon);
void vifi_quick_gelu_bf16(const uint16_t *input, uint16_t *output, ptrdiff_t count);
void vifi_quick_gelu_bf16_backward(const uint16_t *input, uint16_t *gradient, ptrdiff_t count);
void vifi_gelu_bf16(const uint16_t *input, uint16_t *output, ptrdiff_t count);
void vifi_gelu_bf16_backward(const uint16_t *input, uint16_t *gradient, ptrdiff_t count);
void vifi_tanh_gelu_bf16(const uint16_t *input, uint16_t *output, ptrdiff_t count);
void vifi_tanh_gelu_bf16_backward(const uint16_t *input, uint16_t *gradient, ptrdiff_t count);
void vifi_sum_rows_bf16(const uint16_t *input, ptrdiff_t stride, float *sums, ptrdiff_t rows, ptrdiff_t width);
void vifi_add_bf16(const uint16_t *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride, ptrdiff_t rows,
                   ptrdiff_t width);

// Attention of one group, all heads, from bfloat16 to bfloat16; no key is masked. `shared` is float32 and holds
// keys, then values, as `own` does; what is shared comes first. `log_sums` is [heads, queries]: log(sum(exp)) of
// each row of scaled scores. `key_bias` as in `vifi_attention_few`. `head_width` is even. Needs AVX512_BF16 on x86.
void vifi_attention_bf16(const uint16_t *queries, ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                         const uint16_t *own, ptrdiff_t own_stride, uint16_t *output, ptrdiff_t output_stride,
                         float *log_sums, void *scratch, ptrdiff_t query_count, ptrdiff_t shared_count,
                         ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale, const float *key_bias);

// Its gradient. Writes `query_gradient` and `own_gradient`, adds to `shared_gradient`; with a null
// `query_gradient` only the latter.
void vifi_attention_bf16_backward(const uint16_t *output_gradient, ptrdiff_t gradient_stride, const uint16_t *queries,
                                  ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                                  const uint16_t *own, ptrdiff_t own_stride, const float *log_sums, void *scratch,
                                  uint16_t *query_gradient, ptrdiff_t query_gradient_stride, float *shared_gradient,
                                  ptrdiff_t shared_gradient_stride, uint16_t *own_gradient,
                                  ptrdiff_t own_gradient_stride, ptrdiff_t query_count, ptrdiff_t shared_count,
                                  ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale,
                                  const float *key_bias);

// Bytes of `scratch`, which starts on a cache line.
size_t vifi_attention_bf16_bytes(ptrdiff_t query_count, ptrdiff_t key_count, ptrdiff_t head_width);

#endif
