#include "CKernels.h"
#include "vector.h"

VIFI_CLONES
void vifi_add_relevance(const float *scores, const float *gradient, ptrdiff_t stride, ptrdiff_t rows,
                        ptrdiff_t columns, float scale, const float *log_sums, const float *weights, float share,
                        float *sums) {
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *s = scores + row * stride;
        const float weight = share * weights[row], log_sum = log_sums[row];
        if (gradient) {
            const float *g = gradient + row * stride;
            for (ptrdiff_t i = 0; i < columns; i++) {
                const float product = vifi_exp(scale * s[i] - log_sum) * g[i];
                sums[i] += weight * (product > 0 ? product : 0);
            }
        } else {
            for (ptrdiff_t i = 0; i < columns; i++) sums[i] += weight * vifi_exp(scale * s[i] - log_sum);
        }
    }
}

VIFI_CLONES
void vifi_squared_distances(const float *point, const float *points, ptrdiff_t stride, ptrdiff_t rows,
                            ptrdiff_t width, float *distances) {
    const ptrdiff_t whole = width - width % VIFI_LANES;
    for (ptrdiff_t row = 0; row < rows; row++) {
        const float *other = points + row * stride;
        vifi_lanes lanes = {};
        float rest = 0;
        for (ptrdiff_t i = 0; i < whole; i += VIFI_LANES) {
            const vifi_lanes difference = VIFI_LOAD(point + i) - VIFI_LOAD(other + i);
            lanes += difference * difference;
        }
        for (ptrdiff_t i = whole; i < width; i++) rest += (point[i] - other[i]) * (point[i] - other[i]);
        distances[row] = vifi_lane_sum(&lanes) + rest;
    }
}

VIFI_CLONES
double vifi_neighbor_probabilities(const float *distances, ptrdiff_t count, double beta, float *probabilities) {
    float least = INFINITY;
    for (ptrdiff_t i = 0; i < count; i++) least = distances[i] < least ? distances[i] : least;
    double sum = 0, weighted = 0;
    for (ptrdiff_t i = 0; i < count; i++) {
        const double distance = (double)distances[i] - least;
        const double p = exp(-beta * distance);
        probabilities[i] = (float)p;
        sum += p;
        weighted += p * distance;
    }
    for (ptrdiff_t i = 0; i < count; i++) probabilities[i] = (float)(probabilities[i] / sum);
    return log(sum) + beta * weighted / sum;
}

// Sums of a block of points in float, of blocks in double: fast, and exact enough for 100,000 points.
enum { VIFI_BLOCK = 256 };

VIFI_CLONES
void vifi_repulsion(const float *xs, const float *ys, ptrdiff_t count, float x, float y, double *normalizer,
                    double *force_x, double *force_y) {
    double z = 0, fx = 0, fy = 0;
    for (ptrdiff_t start = 0; start < count; start += VIFI_BLOCK) {
        const ptrdiff_t end = start + VIFI_BLOCK < count ? start + VIFI_BLOCK : count;
        const ptrdiff_t whole = end - (end - start) % VIFI_LANES;
        vifi_lanes lz = {}, lx = {}, ly = {};
        for (ptrdiff_t i = start; i < whole; i += VIFI_LANES) {
            const vifi_lanes dx = x - VIFI_LOAD(xs + i), dy = y - VIFI_LOAD(ys + i);
            const vifi_lanes q = 1.0f / (1.0f + dx * dx + dy * dy);
            lz += q;
            lx += q * q * dx;
            ly += q * q * dy;
        }
        z += vifi_lane_sum(&lz);
        fx += vifi_lane_sum(&lx);
        fy += vifi_lane_sum(&ly);
        for (ptrdiff_t i = whole; i < end; i++) {
            const float dx = x - xs[i], dy = y - ys[i];
            const float q = 1.0f / (1.0f + dx * dx + dy * dy);
            z += q;
            fx += q * q * dx;
            fy += q * q * dy;
        }
    }
    *normalizer = z - 1;
    *force_x = fx;
    *force_y = fy;
}

VIFI_CLONES
void vifi_attraction(const float *xs, const float *ys, const float *probabilities, ptrdiff_t count, float x,
                     float y, double *force_x, double *force_y) {
    double fx = 0, fy = 0;
    for (ptrdiff_t start = 0; start < count; start += VIFI_BLOCK) {
        const ptrdiff_t end = start + VIFI_BLOCK < count ? start + VIFI_BLOCK : count;
        const ptrdiff_t whole = end - (end - start) % VIFI_LANES;
        vifi_lanes lx = {}, ly = {};
        for (ptrdiff_t i = start; i < whole; i += VIFI_LANES) {
            const vifi_lanes dx = x - VIFI_LOAD(xs + i), dy = y - VIFI_LOAD(ys + i);
            const vifi_lanes pull = VIFI_LOAD(probabilities + i) / (1.0f + dx * dx + dy * dy);
            lx += pull * dx;
            ly += pull * dy;
        }
        fx += vifi_lane_sum(&lx);
        fy += vifi_lane_sum(&ly);
        for (ptrdiff_t i = whole; i < end; i++) {
            const float dx = x - xs[i], dy = y - ys[i];
            const float pull = probabilities[i] / (1.0f + dx * dx + dy * dy);
            fx += pull * dx;
            fy += pull * dy;
        }
    }
    *force_x = fx;
    *force_y = fy;
}

void vifi_tree_repulsion(const vifi_quad_node *nodes, float x, float y, float angle, double *normalizer,
                         double *force_x, double *force_y) {
    // Three siblings wait on each level; trees are at most 64 levels deep.
    int stack[256];
    int depth = 0;
    double z = 0, fx = 0, fy = 0;
    stack[depth++] = 0;
    while (depth > 0) {
        const vifi_quad_node *node = nodes + stack[--depth];
        if (node->count == 0) continue;
        const float dx = x - node->x, dy = y - node->y;
        const float square = dx * dx + dy * dy;
        if (node->first_child < 0 || node->side * node->side < angle * angle * square) {
            const double q = 1.0 / (1.0 + square);
            z += node->count * q;
            fx += node->count * q * q * dx;
            fy += node->count * q * q * dy;
        } else {
            for (int child = 3; child >= 0; child--) stack[depth++] = node->first_child + child;
        }
    }
    *normalizer = z;
    *force_x = fx;
    *force_y = fy;
}
