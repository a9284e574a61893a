/* The line: whatever comes, a message that is found is as long as its frame said; and what is sent is found again, also
 * behind any noise that is over. */
#include <string.h>

#include "crypto.h"
#include "fuzz.h"
#include "smp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        HOLDS(tn_frame_byte(data[i]) <= TN_SMP_BUFFER_BYTES - 4u);
    }
    (void)tn_frame_byte('\n');

    uint32_t length = size > TN_SMP_BUFFER_BYTES - 8u ? TN_SMP_BUFFER_BYTES - 8u : (uint32_t)size;
    bool found = false;
    fuzz_sent_count = 0;
    memcpy(TN_MESSAGE, data, length);
    tn_frame_send(length);
    for (uint32_t i = 0; i < fuzz_sent_count; i++) {
        uint32_t whole = tn_frame_byte(fuzz_sent[i]);
        HOLDS(whole == 0u || !found);
        if (whole > 0u) {
            found = true;
            HOLDS(whole == length && memcmp(TN_MESSAGE, data, length) == 0);
        }
    }
    HOLDS(found || length == 0u);
    return 0;
}
