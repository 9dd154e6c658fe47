// One loaded graph of a runtime. CMake compiles one implementation: openvino_session.cpp or onnxruntime_session.cpp.
#pragma once

#include <filesystem>
#include <memory>

#include "tensor.hpp"

namespace tiepoint {

class Session {
 public:
  virtual ~Session() = default;
  virtual Tensors run(const Tensors& inputs) = 0;  // all outputs by name
};

// Throws std::exception if the runtime cannot load the graph.
std::unique_ptr<Session> open_session(const std::filesystem::path& path);

}  // namespace tiepoint
