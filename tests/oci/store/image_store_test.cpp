#include "oci/store/image_store.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/runtime.hpp"
#include "oci/image/config.hpp"

namespace kiln::oci {
namespace {

namespace fs = std::filesystem;

class Store : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = fs::temp_directory_path() / "kiln-store-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    directory_ = name;
  }
  void TearDown() override { fs::remove_all(directory_); }

  SpoolBlobPtr blob_of(const std::string& bytes) {
    auto blob = std::make_shared<SpoolBlob>(runtime_.executor(), directory_);
    blob->append(io::as_bytes(bytes));
    blob->complete(Digest::of(io::as_bytes(bytes)));
    return blob;
  }
  static Descriptor descriptor_of_bytes(const std::string& bytes) {
    Descriptor descriptor;
    descriptor.digest = Digest::of(io::as_bytes(bytes));
    descriptor.size = bytes.size();
    descriptor.media_type = media_type::oci_layer;
    return descriptor;
  }
  // An image whose layers have these bytes.
  Image image_of(const std::vector<std::string>& layers) {
    Image image;
    ImageConfig config;
    config.platform = parse_platform("linux/amd64");
    for (const auto& layer : layers) config.diff_ids.push_back(Digest::of(io::as_bytes(layer)));
    image.platform = config.platform;
    image.config_bytes = serialize(config);
    image.manifest.format = ImageFormat::oci;
    image.manifest.config.media_type = media_type::oci_config;
    image.manifest.config.digest = Digest::of(io::as_bytes(image.config_bytes));
    image.manifest.config.size = image.config_bytes.size();
    for (const auto& layer : layers) image.manifest.layers.push_back(descriptor_of_bytes(layer));
    image.manifest_bytes = serialize(image.manifest);
    image.manifest_digest = Digest::of(io::as_bytes(image.manifest_bytes));
    return image;
  }
  Image put(const ImageStore& store, const std::string& name, const std::vector<std::string>& layers, const Digest& index = {}) {
    const Image image = image_of(layers);
    ImageStore::Writer writer(store);
    for (const auto& layer : layers) writer.add(descriptor_of_bytes(layer), *blob_of(layer));
    writer.publish(image, name, index);
    return image;
  }
  fs::path blob_path(const Digest& digest) const { return directory_ / "blobs/sha256" / digest.hex(); }
  std::size_t blob_count() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory_ / "blobs/sha256"), fs::directory_iterator()));
  }
  void set_used(const Image& image, std::int64_t seconds) const {
    const timespec times[2] = {{seconds, 0}, {seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, blob_path(image.manifest_digest).c_str(), times, 0), 0);
  }

  io::Runtime runtime_{io::RuntimeOptions{}};
  fs::path directory_;
};

TEST_F(Store, FindsByNameAndDigest) {
  const ImageStore store(directory_);
  EXPECT_TRUE(store.entries()->empty());
  const Digest index = Digest::of(io::as_bytes("an index"));
  const Image image = put(store, "a", {"one", "two"}, index);
  EXPECT_EQ(store.find("a")->digest, image.manifest_digest);
  EXPECT_FALSE(store.find("b"));
  EXPECT_TRUE(store.find(image.manifest_digest, parse_platform("linux/arm64")));
  EXPECT_EQ(store.find(index, parse_platform("linux/amd64"))->digest, image.manifest_digest);
  EXPECT_FALSE(store.find(index, parse_platform("linux/arm64")));
  EXPECT_EQ(store.read_blob(*store.find("a")), image.manifest_bytes);
  EXPECT_NO_THROW(store.open_blob(image.manifest.layers[1])->verify());
  EXPECT_FALSE(store.open_blob(descriptor_of_bytes("three")));
}

TEST_F(Store, ANameIsOnce) {
  const ImageStore store(directory_);
  put(store, "a", {"one"});
  const Image second = put(store, "a", {"two"});
  EXPECT_EQ(store.entries()->size(), 1u);
  EXPECT_EQ(store.find("a")->digest, second.manifest_digest);
}

TEST_F(Store, DamageIsSeen) {
  const ImageStore store(directory_);
  const Image image = put(store, "a", {"one"});
  const fs::path layer = blob_path(image.manifest.layers[0].digest);
  std::ofstream(layer) << "eno";
  EXPECT_THROW(store.open_blob(image.manifest.layers[0])->verify(), io::Error);
  std::ofstream(layer) << "longer";
  EXPECT_FALSE(store.open_blob(image.manifest.layers[0]));
  std::ofstream(blob_path(image.manifest_digest)) << "{}";
  EXPECT_THROW(store.read_blob(*store.find("a")), io::Error);
  EXPECT_FALSE(fs::exists(blob_path(image.manifest_digest)));
  std::ofstream(directory_ / "index.json") << "{";
  EXPECT_THROW(store.entries(), io::Error);
  put(store, "b", {"one"});
  EXPECT_EQ(store.entries()->size(), 1u);
}

TEST_F(Store, AnotherWritersEntriesAreSeen) {
  const ImageStore store(directory_), other(directory_);
  put(store, "a", {"one"});
  put(other, "b", {"two"});
  put(store, "c", {"three"});
  EXPECT_EQ(other.entries()->size(), 3u);
}

TEST_F(Store, AnImageWithoutItsLayersIsNotPublished) {
  const ImageStore store(directory_);
  ImageStore::Writer writer(store);
  EXPECT_THROW(writer.publish(image_of({"one"}), "a", {}), io::Error);
  EXPECT_TRUE(store.entries()->empty());
}

TEST_F(Store, PruneBySizeKeepsWhatWasUsedLast) {
  const ImageStore store(directory_);
  const std::string shared(1000, 's');
  const Image oldest = put(store, "oldest", {shared, std::string(5000, 'a')});
  const Image middle = put(store, "middle", {shared, std::string(5000, 'b')});
  const Image newest = put(store, "newest", {shared, std::string(5000, 'c')});
  const std::int64_t later = store.stored_at(*store.find("newest")) + 100;
  set_used(oldest, later + 3);
  set_used(middle, later + 1);
  set_used(newest, later + 2);
  ImageStore::Limits limits;
  limits.size = 15000;
  limits.dry_run = true;
  EXPECT_EQ(store.prune(limits, false)->entries.size(), 1u);
  EXPECT_EQ(store.entries()->size(), 3u);
  limits.dry_run = false;
  const auto pruned = store.prune(limits, false);
  ASSERT_EQ(pruned->entries.size(), 1u);
  EXPECT_EQ(name_of(pruned->entries[0]), "middle");
  EXPECT_GT(pruned->bytes, 5000u);
  EXPECT_TRUE(store.open_blob(descriptor_of_bytes(shared)));
  EXPECT_FALSE(store.open_blob(descriptor_of_bytes(std::string(5000, 'b'))));
}

TEST_F(Store, PruneDeletesGarbageAndWhatIsIncomplete) {
  const ImageStore store(directory_);
  put(store, "whole", {"one"});
  const Image broken = put(store, "broken", {"two", "three"});
  fs::remove(blob_path(broken.manifest.layers[0].digest));
  std::ofstream(directory_ / "blobs/sha256/0123.kiln-abcdef") << "half of a blob";
  const auto pruned = store.prune({}, false);
  ASSERT_EQ(pruned->entries.size(), 1u);
  EXPECT_EQ(name_of(pruned->entries[0]), "broken");
  EXPECT_EQ(blob_count(), 3u);
}

TEST_F(Store, PruneByAge) {
  const ImageStore store(directory_);
  put(store, "a", {"one"});
  ImageStore::Limits limits;
  limits.stored_after = store.stored_at(*store.find("a")) + 1;
  EXPECT_EQ(store.prune(limits, false)->entries.size(), 1u);
  EXPECT_EQ(blob_count(), 0u);
}

TEST_F(Store, NothingIsDeletedWhileOthersWrite) {
  const ImageStore store(directory_), other(directory_);
  put(store, "a", {"one"});
  const ImageStore::Writer writer(other);
  ImageStore::Limits limits;
  limits.size = 0;
  EXPECT_FALSE(store.prune(limits, false));
  EXPECT_EQ(store.entries()->size(), 1u);
}

}  // namespace
}  // namespace kiln::oci
