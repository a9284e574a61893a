/* The inner functions of the curve, for test_field.py: the file itself is a part of this one. */
#include "curve.c"

static const struct {
    uint32_t from, behind; /* bytes of `steps` */
} named[] = {
#define NAMED(name) {STEPS(name), STEPS(name) + sizeof(steps.name)}
    NAMED(double_point), NAMED(add_term), NAMED(make_term), NAMED(raise), NAMED(look_at_key), NAMED(try_root),
    NAMED(other_root), NAMED(negate), NAMED(take_root), NAMED(before_inverse), NAMED(divide), NAMED(before_root),
    NAMED(make_root),
};

void test_multiply(element *to, const element *one, const element *other);
void test_read(element *to, const uint8_t *bytes);
void test_write(uint8_t *bytes, const element *from);
void test_run(uint32_t formula, element *point);
uint32_t test_formula(uint32_t formula, uint32_t step);
const element *test_constants(void);

void test_multiply(element *to, const element *one, const element *other)
{
    multiply(to, one, other);
}

void test_read(element *to, const uint8_t *bytes)
{
    read(to, bytes);
}

void test_write(uint8_t *bytes, const element *from)
{
    (void)write(bytes, from);
}

/* Run one on a point; what it may add is the base point. */
void test_run(uint32_t formula, element *point)
{
    begin();
    tn_copy(work, point, POINT_PLACES * sizeof(*work));
    run(named[formula].from, AHEAD(OF_BASE));
    tn_copy(point, work, POINT_PLACES * sizeof(*work));
}

/* A formula's step; 0 behind the last. */
uint32_t test_formula(uint32_t formula, uint32_t step)
{
    uint32_t at = named[formula].from + step * (uint32_t)sizeof(uint16_t);
    return at < named[formula].behind ? *(const uint16_t *)(const void *)((const uint8_t *)&steps + at) : 0u;
}

/* From the one on. */
const element *test_constants(void)
{
    begin();
    return work + ONE;
}
