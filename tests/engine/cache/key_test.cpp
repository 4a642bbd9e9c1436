#include "engine/cache/key.hpp"

#include <set>

#include <gtest/gtest.h>

#include "engine/cache/base_config.hpp"
#include "engine/cache/entry.hpp"
#include "engine/cache/fingerprint.hpp"
#include "engine/cache/step_keys.hpp"
#include "io/base/error.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::engine {
namespace {

TEST(CacheKey, HasTheFormOfKanikosTags) {
  const std::string key = KeyBuilder("RUN").field("a", "b").finish();
  EXPECT_EQ(key.size(), 64U);
  EXPECT_EQ(key.find_first_not_of("0123456789abcdef"), std::string::npos);
}

TEST(CacheKey, FieldsDoNotRunTogether) {
  std::set<std::string> keys;
  keys.insert(KeyBuilder("k").field("ab", "c").finish());
  keys.insert(KeyBuilder("k").field("a", "bc").finish());
  keys.insert(KeyBuilder("ka").field("b", "c").finish());
  keys.insert(KeyBuilder("k").field("a", "").field("b", "c").finish());
  keys.insert(KeyBuilder("k").list("a", {"b", "c"}).finish());
  keys.insert(KeyBuilder("k").list("a", {"bc"}).finish());
  keys.insert(KeyBuilder("k").list("a", {}).field("b", "c").finish());
  keys.insert(KeyBuilder("k").list("a", {"b"}).list("c", {}).finish());
  keys.insert(KeyBuilder("k").list("a", {}).list("b", {"c"}).finish());
  EXPECT_EQ(keys.size(), 9U);
}

TEST(CacheKey, EveryFieldOfARunCounts) {
  RunStep plain;
  plain.arguments = {"/bin/sh", "-c", "x"};
  plain.environment = {"A=b"};
  plain.user = "u";
  plain.working_directory = "/w";
  std::set<std::string> keys = {run_key("before", plain, {})};
  RunStep changed = plain;
  changed.arguments = {"/bin/sh", "-c", "y"};
  keys.insert(run_key("before", changed, {}));
  changed = plain;
  changed.environment = {"A=c"};
  keys.insert(run_key("before", changed, {}));
  changed = plain;
  changed.user = "v";
  keys.insert(run_key("before", changed, {}));
  changed = plain;
  changed.working_directory = "/v";
  keys.insert(run_key("before", changed, {}));
  changed = plain;
  changed.no_network = true;
  keys.insert(run_key("before", changed, {}));
  keys.insert(run_key("other", plain, {}));
  keys.insert(run_key("before", plain, {"input"}));
  EXPECT_EQ(keys.size(), 8U);
  EXPECT_EQ(run_key("before", plain, {}), run_key("before", plain, {}));
}

TEST(CacheKey, EveryFieldOfACopyCounts) {
  CopyStep plain;
  plain.sources = {"a"};
  plain.destination = "/d";
  std::set<std::string> keys = {copy_key("before", plain, "inputs")};
  const auto with = [&](auto change) {
    CopyStep changed = plain;
    change(changed);
    keys.insert(copy_key("before", changed, "inputs"));
  };
  with([](CopyStep& step) { step.destination = "/e"; });
  with([](CopyStep& step) { step.sources = {"b"}; });
  with([](CopyStep& step) { step.is_add = true; });
  with([](CopyStep& step) { step.chown = "1"; });
  with([](CopyStep& step) { step.chown = ""; });
  with([](CopyStep& step) { step.chmod = "1"; });
  with([](CopyStep& step) { step.link = true; });
  with([](CopyStep& step) { step.parents = true; });
  with([](CopyStep& step) { step.excludes = {"x"}; });
  with([](CopyStep& step) { step.unpack = false; });
  with([](CopyStep& step) { step.unpack = true; });
  keys.insert(copy_key("other", plain, "inputs"));
  keys.insert(copy_key("before", plain, "others"));
  EXPECT_EQ(keys.size(), 14U);
}

io::Task<void> fingerprint_into(io::Runtime& runtime, Tree tree, std::string path, std::string& result) {
  Listing listing(nullptr);
  listing.add(tree, {{Change::Kind::put, path}});
  result = co_await fingerprint(runtime, listing);
}

std::string fingerprint_of(const std::function<void(Node&)>& change, const std::string& path = "file") {
  Tree tree;
  Node node;
  node.type = FileType::regular;
  node.mode = 0644;
  node.size = 5;
  node.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{"bytes"});
  change(node);
  tree.put(path, node);
  io::Runtime runtime{io::RuntimeOptions{}};
  std::string result;
  testing::run(runtime, fingerprint_into(runtime, tree, path, result));
  return result;
}

TEST(Fingerprint, CoversEverythingButTimes) {
  const std::string plain = fingerprint_of([](Node&) {});
  EXPECT_EQ(fingerprint_of([](Node& node) { node.mtime = {1, 2}; }), plain);
  EXPECT_NE(fingerprint_of([](Node&) {}, "other"), plain);
  EXPECT_NE(fingerprint_of([](Node& node) { node.mode = 0600; }), plain);
  EXPECT_NE(fingerprint_of([](Node& node) { node.uid = 1; }), plain);
  EXPECT_NE(fingerprint_of([](Node& node) { node.gid = 1; }), plain);
  EXPECT_NE(fingerprint_of([](Node& node) { node.xattrs = std::make_shared<const Xattrs>(Xattrs{{"user.a", "b"}}); }), plain);
  const auto other_bytes = [](Node& node) {
    node.content.inline_bytes = std::make_shared<const ContentInline>(ContentInline{"BYTES"});
  };
  EXPECT_NE(fingerprint_of(other_bytes), plain);
}

TEST(BaseConfig, IsInsideItsManifest) {
  const std::string bytes = R"({"architecture":"amd64","config":{},"os":"linux"})";
  oci::Descriptor config;
  config.digest = oci::Digest::of(io::as_bytes(bytes));
  config.size = bytes.size();
  const oci::Image made = make_base_config("key", config, bytes, "busybox@sha256:1", 1'700'000'000);
  EXPECT_EQ(read_base_config("key", config, made.manifest_bytes), bytes);
  EXPECT_EQ(made.manifest_digest, oci::Digest::of(io::as_bytes(made.manifest_bytes)));
  const oci::Manifest manifest = oci::parse_manifest(made.manifest_bytes, oci::media_type::oci_manifest);
  EXPECT_TRUE(is_base_config(manifest));
  EXPECT_EQ(base_config_name(manifest), "busybox@sha256:1");
  EXPECT_EQ(base_config_created(manifest), 1'700'000'000);
  EXPECT_EQ(manifest.config.digest, config.digest);
  EXPECT_EQ(manifest.layers.size(), 1U);
  EXPECT_THROW(read_base_config("other", config, made.manifest_bytes), io::Error);
  EXPECT_THROW(read_entry("key", manifest), io::Error);
  oci::Descriptor another = config;
  another.digest = oci::Digest::of(io::as_bytes("another"));
  EXPECT_THROW(read_base_config("key", another, made.manifest_bytes), io::Error);
  for (const char* text : {"", "{}", "[]", R"({"config":{},"layers":[]})"}) {
    EXPECT_THROW(read_base_config("key", config, text), io::Error) << text;
  }
}

TEST(CacheEntry, IsReadBackAndIsNoOtherKeys) {
  CachedLayer layer;
  layer.layer.media_type = oci::media_type::docker_layer;
  layer.layer.digest = oci::Digest::of(io::as_bytes("blob"));
  layer.layer.size = 4;
  layer.diff_id = oci::Digest::of(io::as_bytes("tar"));
  layer.created = 1'700'000'000;
  layer.step = "RUN true";
  const oci::Image made = make_entry("key", layer);
  const oci::Manifest manifest = oci::parse_manifest(oci::serialize(made.manifest), oci::media_type::oci_manifest);
  const CachedLayer read = read_entry("key", manifest);
  EXPECT_EQ(read.layer.digest, layer.layer.digest);
  EXPECT_EQ(read.diff_id, layer.diff_id);
  EXPECT_EQ(read.created, layer.created);
  EXPECT_EQ(read.step, layer.step);
  EXPECT_TRUE(is_entry(manifest));
  EXPECT_THROW(read_entry("other", manifest), io::Error);
}

}  // namespace
}  // namespace kiln::engine
