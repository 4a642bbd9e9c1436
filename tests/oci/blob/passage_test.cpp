// A producer on the loop and a consumer on a pool thread.
#include "oci/blob/passage.hpp"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "io/base/error.hpp"
#include "io/loop/cpu_pool.hpp"
#include "io/loop/runtime.hpp"
#include "io/loop/task_group.hpp"
#include "tests/support/run_task.hpp"

namespace kiln::oci {
namespace {

using io::Task;

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * i % 23);
  return text;
}

Descriptor descriptor_of(const std::string& text) {
  Descriptor descriptor;
  descriptor.digest = Digest::of(io::as_bytes(text));
  descriptor.size = text.size();
  return descriptor;
}

// In pieces of `step` bytes at most, until the consumer has gone; gives how many went in.
Task<void> produce(PassagePtr passage, std::string text, std::size_t step, std::size_t& given) {
  while (given < text.size()) {
    const io::MutableBytes room = co_await passage->room();
    if (room.empty()) co_return;
    const std::size_t count = std::min({room.size(), step, text.size() - given});
    std::copy_n(io::as_bytes(text).begin() + static_cast<std::ptrdiff_t>(given), count, room.begin());
    passage->commit(count);
    given += count;
  }
}

class PassageTest : public ::testing::Test {
 protected:
  PassagePtr make(const std::string& text) { return std::make_shared<Passage>(runtime_.executor(), descriptor_of(text)); }

  // Reads `limit` bytes, or to the end, while `text` is produced from the moment that the passage is opened.
  void pass(const PassagePtr& passage, const std::string& text, std::size_t step, std::size_t limit = std::string::npos) {
    testing::run(runtime_, pass_both(passage, text, step, limit));
  }
  Task<void> pass_both(PassagePtr passage, std::string text, std::size_t step, std::size_t limit) {
    io::TaskGroup group(runtime_.executor());
    passage->start_with([&] { group.spawn(produce(passage, text, step, given_)); });
    group.spawn(consume(passage, limit));
    co_await group.join();
  }
  Task<void> consume(PassagePtr passage, std::size_t limit) {
    auto work = [this, &passage, limit] {
      const auto source = passage->open(&stop_);
      std::vector<std::byte> buffer(100'000);
      while (received_.size() < limit) {
        const std::size_t count = source->read(buffer);
        if (count == 0) return;
        received_ += io::as_text(io::Bytes(buffer).first(count));
      }
    };
    co_await io::offload(runtime_.waiting(), work);
  }

  io::Runtime runtime_{io::RuntimeOptions{}};
  std::atomic<bool> stop_ = false;
  std::string received_;
  std::size_t given_ = 0;
};

TEST_F(PassageTest, AllBytesPassInOrder) {
  const std::string text = pattern((Passage::pieces + 3) * Passage::piece_size + 17);
  pass(make(text), text, Passage::piece_size);
  EXPECT_EQ(received_, text);
}

TEST_F(PassageTest, SmallPieces) {
  const std::string text = pattern(50'000);
  pass(make(text), text, 777);
  EXPECT_EQ(received_, text);
}

TEST_F(PassageTest, NoBytesAtAll) {
  pass(make(""), "", 1);
  EXPECT_EQ(received_, "");
}

TEST_F(PassageTest, OtherBytesAreAnError) {
  const std::string text = pattern(2'000'000);
  std::string other = text;
  other[1'234'567] ^= 1;
  try {
    pass(make(text), other, Passage::piece_size);
    FAIL() << "wrong bytes passed";
  } catch (const io::Error& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::integrity);
    EXPECT_NE(error.message().find(descriptor_of(text).digest.text()), std::string::npos) << error.message();
    EXPECT_NE(error.message().find(descriptor_of(other).digest.text()), std::string::npos) << error.message();
  }
}

TEST_F(PassageTest, AProducerEndsWhenItsConsumerHasGone) {
  const std::string text = pattern(3 * Passage::pieces * Passage::piece_size);
  pass(make(text), text, Passage::piece_size, 1);
  EXPECT_LE(given_, 2 * Passage::pieces * Passage::piece_size);
}

TEST_F(PassageTest, AProducersErrorComesOutAfterItsBytes) {
  const std::string text = pattern(1'000'000);
  const PassagePtr passage = make(text + "and more");
  passage->start_with([&] {});
  const auto fill = [&]() -> Task<void> { co_await produce(passage, text, Passage::piece_size, given_); };
  testing::run(runtime_, fill());
  passage->fail(std::make_exception_ptr(io::Error(io::ErrorKind::network, "the line is dead")));
  try {
    testing::run(runtime_, consume(passage, std::string::npos));
    FAIL() << "a blob without an end was read to its end";
  } catch (const io::Error& error) {
    EXPECT_EQ(error.message(), "the line is dead");
  }
  EXPECT_EQ(received_, text);
}

TEST_F(PassageTest, StoppedWhileItWaits) {
  const PassagePtr passage = make("never");
  stop_ = true;
  try {
    testing::run(runtime_, consume(passage, std::string::npos));
    FAIL() << "it went on";
  } catch (const io::Error& error) {
    EXPECT_EQ(error.kind(), io::ErrorKind::cancelled);
  }
}

}  // namespace
}  // namespace kiln::oci
