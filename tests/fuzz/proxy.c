/* proxy.c - fuzz: what a PROXY header says does not depend on what follows, and its every truncation waits. */
#include "proxy.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char address[46] = "?", again[46] = "?";
        if (size > UINT16_MAX)
                return 0;
        ptrdiff_t n = proxy_parse(fuzz_slice(data, size), address);
        must(n <= (ptrdiff_t)size && n <= (ptrdiff_t)PROXY_MAX && n >= -1);
        if (n <= 0) {
                must(strcmp(address, "?") == 0);
                return 0;
        }
        must(strlen(address) < sizeof address);
        must(proxy_parse(fuzz_slice(data, (size_t)n), again) == n && strcmp(address, again) == 0);
        for (size_t k = 0; k < (size_t)n; k++)
                must(proxy_parse(fuzz_slice(data, k), again) == 0);
        return 0;
}
