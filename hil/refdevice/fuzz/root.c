/* Roots that nobody vouches for: whatever stands in them, their keys and rows are found where they are. */
#include "fuzz.h"
#include "trust.h"

static tn_root root;

/* Each of an array of so many lies within the body. */
static void within(tn_item array, uint32_t count)
{
    tn_source body = root.body;
    HOLDS(tn_value(array) == count && tn_nth(array, count) == NULL);
    for (uint32_t i = 0; i < count; i++) {
        tn_source one = tn_whole(tn_nth(array, i));
        HOLDS(one.bytes > body.bytes && one.bytes + one.length <= body.bytes + body.length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tn_source in = fuzz_staged(data, size);
    if (tn_root_read(in, &root) != TN_OK) {
        return 0;
    }
    uint32_t rows = (uint32_t)tn_value(root.rows);
    HOLDS(root.key_count <= TN_KEYS_MAX && rows <= TN_ROWS_MAX);
    within(root.keys, root.key_count);
    within(root.rows, rows);
    for (uint32_t i = 0; i < root.key_count; i++) {
        HOLDS(root.holder[i] <= i);
    }
    if (tn_root_check(&root) != TN_OK) {
        return 0;
    }
    HOLDS(root.key_count > 0u && rows > 0u);
    tn_signers all = (1u << root.key_count) - 1u;
    int32_t row = tn_root_row(&root, "root", NULL);
    tn_signed everybody = {.by = all & ~root.others, .passed = all & root.others}, nobody = {.by = 0};
    /* What was checked: all of its keys together can make the next root. */
    HOLDS(row >= 0);
    HOLDS(tn_root_meets(&root, row, &everybody) != TN_THRESHOLD_NOT_MET);
    HOLDS(tn_root_meets(&root, row, &nobody) == TN_THRESHOLD_NOT_MET);
    return 0;
}
