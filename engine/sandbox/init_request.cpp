#include "engine/sandbox/init_request.hpp"

#include <nlohmann/json.hpp>

namespace kiln::engine {

namespace {

nlohmann::json binary(const std::string& text) {
  return nlohmann::json::binary(std::vector<std::uint8_t>(text.begin(), text.end()));
}

std::string text_of(const nlohmann::json& json) { return {json.get_binary().begin(), json.get_binary().end()}; }

nlohmann::json pack(const SandboxMount& mount) {
  return {{"kind", static_cast<int>(mount.kind)},
          {"name", binary(mount.name)},
          {"target", binary(mount.target)},
          {"source", binary(mount.source)},
          {"directory", mount.directory},
          {"read_only", mount.read_only},
          {"upper", binary(mount.upper)},
          {"size", mount.size},
          {"bytes", binary(mount.bytes)},
          {"mode", mount.mode},
          {"uid", mount.uid},
          {"gid", mount.gid}};
}

SandboxMount unpack_mount(const nlohmann::json& json) {
  SandboxMount mount;
  mount.kind = static_cast<SandboxMount::Kind>(json.at("kind").get<int>());
  mount.name = text_of(json.at("name"));
  mount.target = text_of(json.at("target"));
  mount.source = text_of(json.at("source"));
  json.at("directory").get_to(mount.directory);
  json.at("read_only").get_to(mount.read_only);
  mount.upper = text_of(json.at("upper"));
  json.at("size").get_to(mount.size);
  mount.bytes = text_of(json.at("bytes"));
  json.at("mode").get_to(mount.mode);
  json.at("uid").get_to(mount.uid);
  json.at("gid").get_to(mount.gid);
  return mount;
}

}  // namespace

std::string serialize(const InitRequest& request) {
  nlohmann::json json;
  json["mode"] = static_cast<int>(request.mode);
  json["work_directory"] = request.work_directory;
  json["directories"] = request.directories;
  json["overlay_work"] = request.overlay_work;
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
    for (const auto& text : texts) list.push_back(binary(text));
    return list;
  };
  json["arguments"] = bytes(request.arguments);
  json["environment"] = bytes(request.environment);
  json["mounts"] = nlohmann::json::array();
  for (const auto& mount : request.mounts) json["mounts"].push_back(pack(mount));
  const auto packed = nlohmann::json::to_cbor(json);
  return {packed.begin(), packed.end()};
}

InitRequest parse_init_request(std::string_view packed) {
  const auto json = nlohmann::json::from_cbor(packed.begin(), packed.end());
  InitRequest request;
  request.mode = static_cast<InitRequest::Mode>(json.at("mode").get<int>());
  json.at("work_directory").get_to(request.work_directory);
  json.at("directories").get_to(request.directories);
  json.at("overlay_work").get_to(request.overlay_work);
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
    for (const auto& item : list) result.push_back(text_of(item));
    return result;
  };
  request.arguments = texts(json.at("arguments"));
  request.environment = texts(json.at("environment"));
  for (const auto& mount : json.at("mounts")) request.mounts.push_back(unpack_mount(mount));
  return request;
}

}  // namespace kiln::engine
