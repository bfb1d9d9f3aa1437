// Elementwise loops of the transformer: one function per operation, rows of `width` floats that
// lie `stride` floats apart. Products are BLAS's business.
#ifndef VIFI_TRANSFORMER_H
#define VIFI_TRANSFORMER_H

#include <stddef.h>
#include <stdint.h>

// output = (input - mean) * rsqrt(variance + epsilon) * weight + bias; mean and 1/deviation are kept.
void vifi_layer_norm(const float *input, ptrdiff_t input_stride, const float *weight, const float *bias,
                     float *output, ptrdiff_t output_stride, float *mean, float *inverse_deviation,
                     ptrdiff_t rows, ptrdiff_t width, float epsilon);

// input_gradient += gradient of layer norm with respect to its input.
void vifi_layer_norm_backward(const float *output_gradient, ptrdiff_t gradient_stride,
                              const float *input, ptrdiff_t input_stride, const float *weight,
                              const float *mean, const float *inverse_deviation,
                              float *input_gradient, ptrdiff_t input_gradient_stride,
                              ptrdiff_t rows, ptrdiff_t width);

// weight_gradient += sum over rows of output_gradient * normalized input; bias_gradient likewise.
void vifi_layer_norm_weights(const float *output_gradient, ptrdiff_t gradient_stride,
                             const float *input, ptrdiff_t input_stride,
                             const float *mean, const float *inverse_deviation,
                             float *weight_gradient, float *bias_gradient, ptrdiff_t rows, ptrdiff_t width);

// output = x * sigmoid(1.702 x)
void vifi_quick_gelu(const float *input, float *output, ptrdiff_t count);

// gradient = gradient * d/dx (x * sigmoid(1.702 x)) at `input`
void vifi_quick_gelu_backward(const float *input, float *gradient, ptrdiff_t count);

// output = x * Phi(x), Phi the normal distribution: x / 2 * (1 + erf(x / sqrt(2)))
void vifi_gelu(const float *input, float *output, ptrdiff_t count);

// gradient = gradient * (Phi(x) + x * phi(x)) at `input`, phi the normal density
void vifi_gelu_backward(const float *input, float *gradient, ptrdiff_t count);

// output = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
void vifi_tanh_gelu(const float *input, float *output, ptrdiff_t count);

// gradient = gradient * its slope at `input`
void vifi_tanh_gelu_backward(const float *input, float *gradient, ptrdiff_t count);

// Row r of `scores` becomes softmax(scale * scores) over its first `first_visible + r * visible_step`
// columns (at most `columns`) and zero beyond them. Its log(sum(exp(scale * scores))) is kept.
void vifi_softmax(float *scores, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns, float scale,
                  ptrdiff_t first_visible, ptrdiff_t visible_step, float *log_sums);

// Turns scores into the probabilities p that `vifi_softmax` made of them, and
// gradient into scale * p * (gradient - sum(gradient * p)), row by row.
void vifi_softmax_backward(float *scores, float *gradient, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t columns,
                           float scale, ptrdiff_t first_visible, ptrdiff_t visible_step, const float *log_sums);

// Attention of a few queries, all heads; BLAS takes longer over products this small. Rows of `shared`
// and `own` hold keys, then values. `scores` is scratch for one number a key. Query r sees the first
// `first_visible + r * visible_step` keys, shared ones first. `log_sums` is [heads, queries]. `key_bias` holds a number
// for each own key that is added to its products with queries, before these are scaled; null for none.
void vifi_attention_few(const float *queries, ptrdiff_t query_stride, const float *shared, ptrdiff_t shared_stride,
                        const float *own, ptrdiff_t own_stride, float *output, ptrdiff_t output_stride,
                        float *log_sums, float *scores, ptrdiff_t query_count, ptrdiff_t shared_count,
                        ptrdiff_t own_count, ptrdiff_t heads, ptrdiff_t head_width, float scale,
                        ptrdiff_t first_visible, ptrdiff_t visible_step, const float *key_bias);

// Its gradient. `scores` is scratch for two numbers a key. Writes `query_gradient`, adds to the others;
// with a null `query_gradient` to `shared_gradient` only.
void vifi_attention_few_backward(const float *output_gradient, ptrdiff_t gradient_stride,
                                 const float *queries, ptrdiff_t query_stride,
                                 const float *shared, ptrdiff_t shared_stride, const float *own, ptrdiff_t own_stride,
                                 const float *log_sums, float *scores, float *query_gradient,
                                 ptrdiff_t query_gradient_stride, float *shared_gradient,
                                 ptrdiff_t shared_gradient_stride, float *own_gradient, ptrdiff_t own_gradient_stride,
                                 ptrdiff_t query_count, ptrdiff_t shared_count, ptrdiff_t own_count,
                                 ptrdiff_t heads, ptrdiff_t head_width, float scale,
                                 ptrdiff_t first_visible, ptrdiff_t visible_step, const float *key_bias);

// Turns each pair of adjacent numbers of every head by an angle, in place: (x, y) becomes (x cos - y sin, y cos + x sin).
// `cosines` and `sines` are [rows, head_width / 2], the same for all heads; `direction` is 1, or -1 to turn back.
void vifi_rotate_pairs(float *values, ptrdiff_t stride, const float *cosines, const float *sines, ptrdiff_t rows,
                       ptrdiff_t heads, ptrdiff_t head_width, float direction);

// output[r] = bias
void vifi_fill_rows(const float *bias, float *output, ptrdiff_t stride, ptrdiff_t rows, ptrdiff_t width);

// output[r] = input[r] + bias
void vifi_add_row(const float *input, ptrdiff_t input_stride, const float *bias,
                  float *output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t width);

// output = input times a factor per row, each row added to row `places[r]` of the output, [output_rows, width].
// Places are whole numbers.
void vifi_merge_rows(const float *input, ptrdiff_t input_stride, const float *places, const float *factors,
                     float *output, ptrdiff_t output_stride, ptrdiff_t rows, ptrdiff_t output_rows, ptrdiff_t width);

// input_gradient[r] = factors[r] * output_gradient[places[r]]
void vifi_merge_rows_backward(const float *output_gradient, ptrdiff_t gradient_stride, const float *places,
                              const float *factors, float *input_gradient, ptrdiff_t input_gradient_stride,
                              ptrdiff_t rows, ptrdiff_t width);

// output += input
void vifi_add(const float *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride,
              ptrdiff_t rows, ptrdiff_t width);

// sums += sum over rows
void vifi_sum_rows(const float *input, ptrdiff_t stride, float *sums, ptrdiff_t rows, ptrdiff_t width);

// Frame [3, side, side] to rows [(side / patch)^2, 3 * patch * patch], in the order of a
// convolution's weights.
void vifi_patches(const float *frame, ptrdiff_t side, ptrdiff_t patch, float *output, ptrdiff_t output_stride);

// The other way round: rows of patches to the pixels of a frame. Pixels in no patch stay as they are.
void vifi_join_patches(const float *patches, ptrdiff_t stride, ptrdiff_t side, ptrdiff_t patch, float *frame);

// One AdamW step (Loshchilov and Hutter 2019, algorithm 2) on `count` values.
// step_size = rate / (1 - beta1^t), inverse_correction = 1 / sqrt(1 - beta2^t).
void vifi_adamw(float *value, const float *gradient, float *first_moment, float *second_moment, ptrdiff_t count,
                float decay, float beta1, float beta2, float step_size, float inverse_correction, float epsilon);

// output = input / |input|, row by row; the lengths are kept.
void vifi_normalize_rows(const float *input, ptrdiff_t input_stride, float *output, ptrdiff_t output_stride,
                         float *lengths, ptrdiff_t rows, ptrdiff_t width);

// input_gradient += (gradient - output * sum(output * gradient)) / length, row by row.
void vifi_normalize_rows_backward(const float *output, ptrdiff_t output_stride, const float *lengths,
                                  const float *gradient, ptrdiff_t gradient_stride,
                                  float *input_gradient, ptrdiff_t input_gradient_stride,
                                  ptrdiff_t rows, ptrdiff_t width);

// Number of values that are NaN or infinite.
ptrdiff_t vifi_count_non_finite(const float *values, ptrdiff_t count);

#endif
