/* Roots that nobody vouches for: whatever stands in them, their keys and rows are found where they are. */
#include "fuzz.h"
#include "trust.h"

static tn_root root;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tn_source in = fuzz_staged(data, size);
    if (tn_root_read(in, &root) != TN_OK) {
        return 0;
    }
    HOLDS(root.key_count <= TN_KEYS_MAX && root.row_count <= TN_ROWS_MAX);
    for (uint32_t i = 0; i < root.key_count; i++) {
        HOLDS(root.key_at[i] < root.body.length);
        HOLDS(root.holder[i] <= i);
    }
    for (uint32_t i = 0; i < root.row_count; i++) {
        HOLDS(root.row_at[i] < root.body.length);
    }
    if (tn_root_check(&root) != TN_OK) {
        return 0;
    }
    HOLDS(root.key_count > 0u && root.row_count > 0u);
    tn_signers all = root.key_count == 32u ? UINT32_MAX : (1u << root.key_count) - 1u;
    tn_source type = tn_in_memory("root", 4);
    tn_source none = tn_in_memory("", 0);
    /* What was checked: all of its keys together can make the next root. */
    HOLDS(tn_root_row(&root, type, none) >= 0);
    HOLDS(tn_root_meets(&root, type, none, all & ~root.others, all & root.others, NULL) != TN_THRESHOLD_NOT_MET);
    HOLDS(tn_root_meets(&root, type, none, 0, 0, NULL) == TN_THRESHOLD_NOT_MET);
    return 0;
}
