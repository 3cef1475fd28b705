// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the pickle reader: a pickle is refused with one sentence that names the byte, or
// every value of it can be looked at.
#include <assert.h>
#include <string.h>

#include "formats/pickle.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_is_value(const Pickle *pickle, PickleValue value) {
    assert(value >= 1 && value <= pickle_value_count(pickle));
    assert(pickle_kind(pickle, value) != PICKLE_NOTHING);
}

static void check_text(PickleText text) {
    unsigned char sum = 0;
    for (size_t i = 0; i < text.size; i++) {
        sum ^= (unsigned char)text.text[i];
    }
    volatile unsigned char kept = sum;
    (void)kept;
}

static void check_elements(const Pickle *pickle, PickleValue value) {
    PickleKind kind = pickle_kind(pickle, value);
    PickleWalk walk = pickle_walk(pickle, value);
    PickleValue element, key;
    uint32_t count = 0;
    if (kind == PICKLE_DICT || kind == PICKLE_OBJECT) {
        for (; pickle_next_pair(&walk, &key, &element); count++) {
            check_is_value(pickle, key);
            check_is_value(pickle, element);
        }
    } else {
        for (; pickle_next(&walk, &element); count++) {
            check_is_value(pickle, element);
            assert(kind != PICKLE_TUPLE || pickle_element(pickle, value, count) == element);
        }
    }
    assert(count == pickle_count(pickle, value));
    assert(pickle_element(pickle, value, count) == 0);
}

static void check_value(const Pickle *pickle, PickleValue value) {
    PickleKind kind = pickle_kind(pickle, value);
    assert(strlen(pickle_kind_name(kind)) > 0);
    int64_t integer;
    PickleText module, name;
    assert(pickle_integer(pickle, value, &integer) == (kind == PICKLE_INTEGER));
    assert(pickle_global(pickle, value, &module, &name) == (kind == PICKLE_GLOBAL));
    assert((pickle_persistent(pickle, value) != 0) == (kind == PICKLE_PERSISTENT));
    check_text(pickle_text(pickle, value));
    check_text(module);
    check_text(name);
    check_elements(pickle, value);
    PickleObject object = pickle_object(pickle, value);
    assert((object.function != 0) == (kind == PICKLE_OBJECT));
    if (kind == PICKLE_OBJECT) {
        check_is_value(pickle, object.function);
        assert(pickle_kind(pickle, object.arguments) == PICKLE_TUPLE);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    Pickle *pickle;
    if (pickle_read(bytes, size, 0, &pickle) != STATUS_OK) {
        assert(pickle == NULL);
        assert(strncmp(status_message(), "byte ", 5) == 0);
        return 0;
    }
    assert(pickle_size(pickle) <= size);
    check_is_value(pickle, pickle_root(pickle));
    for (PickleValue value = 1; value <= pickle_value_count(pickle); value++) {
        check_value(pickle, value);
    }
    pickle_free(pickle);
    return 0;
}
