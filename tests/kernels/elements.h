// Where the elements lie that tests hand to kernels: on the heap, or, for tests on a GPU, where it
// reads and writes them too.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#ifdef PT_TEST_GPU
#include <gpu/memory.h>
#endif

namespace pt::test {

#ifdef PT_TEST_GPU
template <class T>
using Allocator = MappedAllocator<T>;
#else
template <class T>
using Allocator = std::allocator<T>;
#endif

template <class T>
using Elements = std::vector<T, Allocator<T>>;

}  // namespace pt::test
