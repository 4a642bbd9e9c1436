#include "engine/sandbox/init_request.hpp"

#include <nlohmann/json.hpp>

namespace kiln::engine {

std::string serialize(const InitRequest& request) {
  nlohmann::json json;
  json["mode"] = static_cast<int>(request.mode);
  json["work_directory"] = request.work_directory;
  json["directories"] = request.directories;
  json["overlay"] = request.overlay;
  json["all_ids"] = request.all_ids;
  json["no_network"] = request.no_network;
  json["hostname"] = request.hostname;
  json["resolv_conf"] = request.resolv_conf;
  json["hosts"] = request.hosts;
  json["working_directory"] = request.working_directory;
  json["uid"] = request.uid;
  json["gid"] = request.gid;
  json["groups"] = request.groups;
  // Arguments and environment may hold any bytes, which CBOR can carry and JSON text cannot.
  const auto bytes = [](const std::vector<std::string>& texts) {
    auto list = nlohmann::json::array();
    for (const auto& text : texts) list.push_back(nlohmann::json::binary(std::vector<std::uint8_t>(text.begin(), text.end())));
    return list;
  };
  json["arguments"] = bytes(request.arguments);
  json["environment"] = bytes(request.environment);
  const auto packed = nlohmann::json::to_cbor(json);
  return {packed.begin(), packed.end()};
}

InitRequest parse_init_request(std::string_view packed) {
  const auto json = nlohmann::json::from_cbor(packed.begin(), packed.end());
  InitRequest request;
  request.mode = static_cast<InitRequest::Mode>(json.at("mode").get<int>());
  json.at("work_directory").get_to(request.work_directory);
  json.at("directories").get_to(request.directories);
  json.at("overlay").get_to(request.overlay);
  json.at("all_ids").get_to(request.all_ids);
  json.at("no_network").get_to(request.no_network);
  json.at("hostname").get_to(request.hostname);
  json.at("resolv_conf").get_to(request.resolv_conf);
  json.at("hosts").get_to(request.hosts);
  json.at("working_directory").get_to(request.working_directory);
  json.at("uid").get_to(request.uid);
  json.at("gid").get_to(request.gid);
  json.at("groups").get_to(request.groups);
  const auto texts = [](const nlohmann::json& list) {
    std::vector<std::string> result;
    for (const auto& item : list) result.emplace_back(item.get_binary().begin(), item.get_binary().end());
    return result;
  };
  request.arguments = texts(json.at("arguments"));
  request.environment = texts(json.at("environment"));
  return request;
}

}  // namespace kiln::engine
