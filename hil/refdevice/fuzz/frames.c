/* The line: whatever comes, a message that is found is as long as its frame said; and what is sent is found again, also
 * behind any noise that is over. */
#include "crypto.h"
#include "fuzz.h"
#include "smp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (tn_frame_byte(data[i])) {
            HOLDS(tn_frame_message().length <= TN_SMP_BUFFER_BYTES);
        }
    }
    (void)tn_frame_byte('\n');

    uint32_t length = size > TN_SMP_BUFFER_BYTES - 8u ? TN_SMP_BUFFER_BYTES - 8u : (uint32_t)size;
    bool found = false;
    fuzz_sent_count = 0;
    tn_frame_send(data, length);
    for (uint32_t i = 0; i < fuzz_sent_count; i++) {
        bool whole = tn_frame_byte(fuzz_sent[i]);
        HOLDS(!whole || !found);
        found = found || whole;
        if (whole) {
            HOLDS(tn_equals(tn_frame_message(), data, length));
        }
    }
    HOLDS(found);
    return 0;
}
