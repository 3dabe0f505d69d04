#pragma once

#include <pybind11/pybind11.h>

namespace pt {

// Adds the class Bpe to the module.
void bind_subwords(pybind11::module_& m);

}  // namespace pt
