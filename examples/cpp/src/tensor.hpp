// Tensors of a graph: float32 or int64, in C order.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <variant>
#include <vector>

namespace tiepoint {

struct Tensor {
  std::vector<size_t> shape;
  std::variant<std::vector<float>, std::vector<int64_t>> values;

  std::vector<float>& floats() { return std::get<std::vector<float>>(values); }
  const std::vector<float>& floats() const { return std::get<std::vector<float>>(values); }
  std::vector<int64_t>& integers() { return std::get<std::vector<int64_t>>(values); }
  const std::vector<int64_t>& integers() const { return std::get<std::vector<int64_t>>(values); }
};

using Tensors = std::map<std::string, Tensor>;

}  // namespace tiepoint
