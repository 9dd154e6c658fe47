// tiepoint_match BUNDLE IMAGE0 IMAGE1 [OUTPUT.json]
#include <exception>
#include <fstream>
#include <iostream>

#include "matcher.hpp"

namespace {

nlohmann::json to_json(const tiepoint::Features& features0, const tiepoint::Features& features1,
                       const tiepoint::Matches& found) {
  nlohmann::json result{{"layers_run", found.layers_run}};
  for (const char* name : {"matches", "scores", "points0", "points1"}) result[name] = nlohmann::json::array();
  const auto point = [](const tiepoint::Features& features, int64_t index) {
    const float* xy = &features.keypoints.floats()[2 * index];
    return nlohmann::json{xy[0], xy[1]};
  };
  for (const auto& [index0, index1, score] : found.matches) {
    result["matches"].push_back({index0, index1});
    result["scores"].push_back(score);
    result["points0"].push_back(point(features0, index0));
    result["points1"].push_back(point(features1, index1));
  }
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) {
    std::cerr << "usage: tiepoint_match BUNDLE IMAGE0 IMAGE1 [OUTPUT.json]\n";
    return 2;
  }
  try {
    tiepoint::Matcher matcher(argv[1]);
    const auto features0 = matcher.extract(tiepoint::read_image(argv[2]));
    const auto features1 = matcher.extract(tiepoint::read_image(argv[3]));
    const auto found = matcher.match(features0, features1);
    std::cout << found.matches.size() << " matches   " << features0.size() << " and " << features1.size()
              << " keypoints   " << found.layers_run << " layers\n";
    if (argc == 5) {
      std::ofstream file(argv[4]);
      file << to_json(features0, features1, found) << "\n";
      if (!file.flush()) throw std::runtime_error("cannot write " + std::string(argv[4]));
    }
  } catch (const std::exception& error) {
    std::cerr << "tiepoint_match: " << error.what() << "\n";
    return 1;
  }
  return 0;
}
