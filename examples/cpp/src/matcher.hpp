// A bundle of `tiepoint export` in C++: features of an image, and the loop over LightGlue's layers.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "image.hpp"
#include "session.hpp"

namespace tiepoint {

struct Features {
  int width = 0, height = 0;  // of the original image in px
  Tensor keypoints;           // (n, 2), (x, y) in px of the original image; the center of the top-left pixel is (0, 0)
  Tensor scores;              // (n,)
  Tensor descriptors;         // (n, d)

  size_t size() const { return keypoints.shape[0]; }
};

struct Match {
  int64_t index0, index1;  // rows of the keypoints
  float score;
};

struct Matches {
  std::vector<Match> matches;  // in ascending order of index0
  int layers_run = 0;
};

class Matcher {
 public:
  // Throws std::runtime_error if the folder is not a bundle with the adaptive form, or has a newer format.
  explicit Matcher(const std::filesystem::path& bundle);

  // Throws std::runtime_error if the image is smaller than the network's minimum.
  Features extract(const Image& image);
  Matches match(const Features& features0, const Features& features1);

 private:
  std::unique_ptr<Session> open(const std::string& graph) const;

  std::filesystem::path bundle_;
  nlohmann::json manifest_;
  std::unique_ptr<Session> extractor_, encode_;
  std::vector<std::unique_ptr<Session>> layers_, assign_;
};

}  // namespace tiepoint
