/* The inner functions of the curve, for test_field.py: the file itself is a part of this one. */
#include "curve.c"

static const uint32_t named[] = {STEPS(double_point), STEPS(add_term),   STEPS(make_term), STEPS(raise),
                                 STEPS(look_at_key),  STEPS(try_root),   STEPS(other_root), STEPS(negate),
                                 STEPS(take_root),    STEPS(before_inverse), STEPS(divide)};

void test_multiply(element *to, const element *one, const element *other);
void test_read(element *to, const uint8_t *bytes);
void test_write(uint8_t *bytes, const element *from);
void test_run(uint32_t formula, element *work, uint32_t from);
const uint16_t *test_formula(uint32_t formula);
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

/* With the constants from one of them on as `more`. */
void test_run(uint32_t formula, element *work, uint32_t from)
{
    run(named[formula], work, constants + from);
}

const uint16_t *test_formula(uint32_t formula)
{
    return (const uint16_t *)(const void *)((const uint8_t *)&steps + named[formula]);
}

const element *test_constants(void)
{
    return constants;
}
