// What pictures of a model are made of: relevance of attention, and embeddings in the plane.
#ifndef VIFI_EXPLAIN_H
#define VIFI_EXPLAIN_H

#include <stddef.h>

// sums[j] += share * sum over rows of weights[r] * max(0, p[r][j] * gradient[r][j]), where
// p = exp(scale * scores[r][j] - log_sums[r]); of p alone where `gradient` is null.
void vifi_add_relevance(const float *scores, const float *gradient, ptrdiff_t stride, ptrdiff_t rows,
                        ptrdiff_t columns, float scale, const float *log_sums, const float *weights, float share,
                        float *sums);

// Squared Euclidean distances of `point` [width] to rows of `points`.
void vifi_squared_distances(const float *point, const float *points, ptrdiff_t stride, ptrdiff_t rows,
                            ptrdiff_t width, float *distances);

// Probabilities proportional to exp(-beta * (distance - least distance)); returns their entropy in nats.
// `distances` hold `count` squared distances, without the point's own.
double vifi_neighbor_probabilities(const float *distances, ptrdiff_t count, double beta, float *probabilities);

// Repulsion of one point of an embedding by all: with q = 1 / (1 + |y - y_j|^2) adds up sum q (without the
// point's own 1) and sum q^2 (y - y_j). `xs` and `ys` hold the coordinates.
void vifi_repulsion(const float *xs, const float *ys, ptrdiff_t count, float x, float y, double *normalizer,
                    double *force_x, double *force_y);

// Attraction of one point by all: sum p_j q (y - y_j).
void vifi_attraction(const float *xs, const float *ys, const float *probabilities, ptrdiff_t count, float x,
                     float y, double *force_x, double *force_y);

// A node of a quadtree over the plane. Children are consecutive; a leaf has none.
typedef struct {
    // Center of mass.
    float x, y;
    // Points below it.
    int count;
    // Side of its square.
    float side;
    // Index of the first of four children, or -1. Empty children have count 0.
    int first_child;
} vifi_quad_node;

// `vifi_repulsion` over a quadtree: a node seen under an angle side / distance below `angle` counts as one
// point (Barnes and Hut 1986). A leaf's points lie in one place, so that the point itself is among them where
// the distance is 0: `normalizer` then counts it with its 1, which the caller takes away.
void vifi_tree_repulsion(const vifi_quad_node *nodes, float x, float y, float angle, double *normalizer,
                         double *force_x, double *force_y);

#endif
