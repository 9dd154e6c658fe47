// Images: decoding, and resizing as the package does it.
#pragma once

#include <string>
#include <vector>

namespace tiepoint {

struct Image {
  int width = 0, height = 0;
  std::vector<float> pixels;  // RGB, shape (3, height, width)
};

// Decodes a JPEG, PNG or BMP; values in [0, 255]. The EXIF orientation is not applied. Throws std::runtime_error.
Image read_image(const std::string& path);

// Resizes with a triangle filter that is as wide as the reduction, first along the width, then along the height.
Image resize(const Image& image, int width, int height);

}  // namespace tiepoint
