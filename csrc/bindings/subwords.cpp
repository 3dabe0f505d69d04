// pytransformer._C.Bpe: segmentation of whole batches, on NumPy arrays.
#include "subwords.h"

#include <pybind11/numpy.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "../subwords/bpe.h"

namespace py = pybind11;

namespace pt {
namespace {

template <typename T>
using Array = py::array_t<T, py::array::c_style | py::array::forcecast>;

template <typename T>
std::vector<T> copied(const Array<T>& array) {
  return std::vector<T>(array.data(), array.data() + array.size());
}

void require(bool holds, const char* message) {
  if (!holds) throw py::value_error(message);
}

bool all_within(const std::vector<int32_t>& ids, int64_t pieces) {
  return std::all_of(ids.begin(), ids.end(), [&](int32_t id) { return id >= 0 && id < pieces; });
}

std::unique_ptr<Bpe> make(const Array<int32_t>& characters, const Array<int64_t>& offsets,
                          const Array<int32_t>& merges, const Array<int32_t>& ranks,
                          int32_t space) {
  const std::vector<int64_t> ends = copied(offsets);
  const int64_t pieces = int64_t(ends.size()) - 1;
  require(pieces >= 0 && ends.front() == 0 && ends.back() == characters.size() &&
              std::is_sorted(ends.begin(), ends.end()),
          "offsets do not rise from 0 to the number of characters");
  require(ranks.size() == pieces, "ranks do not number every piece");
  require(merges.ndim() == 2 && merges.shape(1) == 3, "merges are no [count, 3]");
  require(all_within(copied(characters), pieces) && all_within(copied(merges), pieces),
          "characters or merges name a piece that does not exist");
  std::vector<Merge> rows;
  for (py::ssize_t i = 0; i < merges.shape(0); i++) {
    rows.push_back({merges.at(i, 0), merges.at(i, 1), merges.at(i, 2)});
  }
  return std::make_unique<Bpe>(copied(characters), ends, rows, copied(ranks), space);
}

py::tuple segment(const Bpe& bpe, const Array<int64_t>& tokens, const Array<int64_t>& lengths,
                  double dropout, uint64_t seed) {
  require(dropout >= 0.0 && dropout < 1.0, "dropout must be at least 0 and less than 1");
  const int64_t *ids = tokens.data(), *counts = lengths.data();
  int64_t total = 0;
  for (py::ssize_t i = 0; i < lengths.size(); i++) {
    require(counts[i] >= 0 && counts[i] <= tokens.size() - total,
            "lengths do not add up to the number of tokens");
    total += counts[i];
  }
  require(total == tokens.size(), "lengths do not add up to the number of tokens");
  for (int64_t i = 0; i < total; i++) {
    require(ids[i] >= 0 && ids[i] < bpe.pieces(), "tokens hold an id that is no piece");
  }
  std::vector<int64_t> out, new_lengths;
  {
    const py::gil_scoped_release release;
    out.reserve(size_t(total) * 2);
    for (int64_t i = 0; i < lengths.size(); i++) {
      const size_t before = out.size();
      bpe.segment(ids, counts[i], {dropout, seed, uint64_t(i)}, out);
      new_lengths.push_back(int64_t(out.size() - before));
      ids += counts[i];
    }
  }
  return py::make_tuple(py::array_t<int64_t>(py::ssize_t(out.size()), out.data()),
                        py::array_t<int64_t>(py::ssize_t(new_lengths.size()), new_lengths.data()));
}

}  // namespace

void bind_subwords(py::module_& m) {
  py::class_<Bpe>(m, "Bpe", "See pytransformer.subwords.plain.Bpe.")
      .def(py::init(&make), py::arg("characters"), py::arg("offsets"), py::arg("merges"),
           py::arg("ranks"), py::arg("space"))
      .def("segment", &segment, py::arg("tokens"), py::arg("lengths"), py::arg("dropout"),
           py::arg("seed"));
}

}  // namespace pt
