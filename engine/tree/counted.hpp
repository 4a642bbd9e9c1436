// Shared ownership of an object that counts its owners itself: one pointer wide, and no block beside the object.
#pragma once

#include <utility>

namespace kiln::engine {

// What to do with T is said by three functions beside it: hold(T*), drop(T*), which deletes the object when nobody holds it
// any more, and held_once(const T*). T may be incomplete.
template <class T>
class Counted {
 public:
  Counted() = default;
  explicit Counted(T* object) noexcept : object_(object) {
    if (object_) hold(object_);
  }
  Counted(const Counted& other) noexcept : Counted(other.object_) {}
  Counted(Counted&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Counted& operator=(Counted other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Counted() {
    if (object_) drop(object_);
  }

  T* get() const noexcept { return object_; }
  T* operator->() const noexcept { return object_; }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  bool alone() const noexcept { return held_once(object_); }

 private:
  T* object_ = nullptr;
};

}  // namespace kiln::engine
