// The scheduler: which thread of a block goes next, what it waits for, and what goes wrong.
//
// Ready threads are a stack, so that one warp runs ahead of the others until its next barrier: what
// it must not read or write before that barrier, it reads or writes too early.
#include "threads.h"

#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "scheduler.h"

namespace pt::on_host {
namespace {

constexpr size_t kPage = 4096, kGuard = kPage;
constexpr size_t kOrders = size_t(1) << 24;  // bytes of addresses for orderings, each launch
// What every supported device gives a block (CUDA C++ Programming Guide, compute capabilities:
// 99 KiB for 8.6, 8.9 and 12.0).
constexpr size_t kMostShared = 99 << 10;
constexpr unsigned kMostThreads = 1024, kMostBlocksYZ = 65535, kMostBlocksX = 0x7fffffff;

thread_local Thread* running = nullptr;
thread_local Block* running_block = nullptr;
thread_local BlockPlace block_place;

std::atomic<uint64_t> counts[3];

// Orderings of a launch, the first of its end; renewed for each, since an address remembers.
unsigned char* orders = nullptr;
std::atomic<size_t> next_order{0};

size_t pages(size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// Whole pages: of others ThreadSanitizer would remember what was there before.
unsigned char* mapped(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<unsigned char*>(memory);
}

void renew_orders() {
  if (!watches_races()) return;
  if (orders != nullptr) munmap(orders, kOrders);
  orders = mapped(kOrders);
  next_order = 0;
}

std::string place_of(const Thread& thread) {
  const auto triple = [](const dim3& d) {
    return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
  };
  return "block " + triple(block_place.index) + " thread " + triple(thread.index);
}

void enter_thread() {
  Fiber::arrived();
  Block& block = current_block();
  order_acquire(block.begin);
  block.body(block.context);
  Thread& thread = current();
  if (!thread.copies.empty()) fail("the thread ends with a copy that it never waited for");
  order_release(orders);  // before what is read after it
  block.exit(thread);
}

}  // namespace

Options& options() {
  static Options options;
  return options;
}

Counters counters() { return {counts[0], counts[1], counts[2]}; }
void reset_counters() {
  for (auto& count : counts) count = 0;
}
void count(Count what, uint64_t n) { counts[int(what)].fetch_add(n, std::memory_order_relaxed); }

const Place& self() { return *running; }
const BlockPlace& block() { return block_place; }
Thread& current() { return *running; }
Block& current_block() { return *running_block; }

bool same(const Site& a, const Site& b) {
  return a.line == b.line && (a.file == b.file || __builtin_strcmp(a.file, b.file) == 0);
}
std::string text_of(const Site& site) {
  const char* slash = __builtin_strrchr(site.file, '/');
  return std::string(site.what) + " at " + (slash != nullptr ? slash + 1 : site.file) + ":" +
         std::to_string(site.line);
}

void* fresh_order() {
  if (!watches_races()) return nullptr;
  return orders + 1 + next_order.fetch_add(1, std::memory_order_relaxed) % (kOrders - 1);
}

void fail(const char* message) { current_block().abandon(place_of(current()) + ": " + message); }
void fail(const Site& site, const char* message) {
  current_block().abandon(place_of(current()) + ": " + text_of(site) + ": " + message);
}

Block::~Block() {
  if (stacks_ != nullptr) munmap(stacks_, stacks_bytes_);
  free_shared();
}

void Block::prepare(dim3 dim, size_t shared_bytes) {
  const size_t count = size_t(dim.x) * dim.y * dim.z, each = Fiber::kStack + kGuard;
  if (fibers_.size() < count) {
    fibers_.clear();
    threads.clear();
    if (stacks_ != nullptr) munmap(stacks_, stacks_bytes_);
    stacks_bytes_ = each * count;
    stacks_ = mapped(stacks_bytes_);
    for (size_t i = 0; i < count; i++) {
      mprotect(stacks_ + each * i, kGuard, PROT_NONE);
      fibers_.push_back(std::make_unique<Fiber>(stacks_ + each * i + kGuard));
    }
  }
  while (threads.size() < count) threads.push_back(std::make_unique<Thread>());
  threads.resize(count);
  for (size_t i = 0; i < count; i++) {
    Thread& thread = *threads[i];
    thread.linear = unsigned(i);
    thread.lane = thread.linear % 32;
    thread.index = {unsigned(i) % dim.x, unsigned(i) / dim.x % dim.y, unsigned(i) / dim.x / dim.y};
  }
  shared_bytes_ = shared_bytes;
  renew_shared();
}

// With ThreadSanitizer, at an address that it knows nothing about, since no barrier orders one
// block with the next; else a heap allocation of just that size, whose ends AddressSanitizer knows.
void Block::renew_shared() {
  free_shared();
  if (shared_bytes_ == 0) return;
  if (watches_races()) {
    shared_mapped_ = pages(shared_bytes_);
    shared = mapped(shared_mapped_);
  } else {
    void* memory = nullptr;
    if (posix_memalign(&memory, 1024, shared_bytes_) != 0) throw std::bad_alloc();
    shared = static_cast<unsigned char*>(memory);
  }
}

void Block::free_shared() {
  if (shared == nullptr) return;
  if (shared_mapped_ > 0) {
    munmap(shared, shared_mapped_);
  } else {
    std::free(shared);
  }
  shared = nullptr;
}

void Block::run(const BlockPlace& place, uint64_t seed) {
  if (watches_races() && runs_ > 0) renew_shared();
  block_place = place;
  block_place.shared = shared;
  // NaN of every type, until somebody writes.
  if (shared != nullptr) __builtin_memset(shared, 0xff, shared_bytes_);
  running_block = this;
  random_ = (seed + 1) * 0x9E3779B97F4A7C15u;
  warps.assign((threads.size() + 31) / 32, Warp{});
  barrier = {};
  ready_.clear();
  error_.clear();
  live_ = int(threads.size());
  runs_++;
  std::vector<Thread*> all;
  for (size_t i = 0; i < threads.size(); i++) {
    Thread& thread = *threads[i];
    thread.warp = &warps[i / 32];
    thread.warp->present |= 1u << thread.lane;
    thread.exited = false;
    thread.waiting = {};
    thread.copies.clear();
    thread.groups = 0;
    // To ThreadSanitizer a fiber is a thread, and so free of races with itself: each block gives
    // its threads other ones, or it would not see thread 0 of two blocks write the same address.
    thread.fiber = fibers_[(i + runs_) % fibers_.size()].get();
    thread.fiber->start(enter_thread, (i * 7 % 16) * 256);
    all.push_back(&thread);
  }
  make_ready(all.data(), all.size());
  running = next();
  scheduler_.adopt();
  // What this thread knows: what was written before the launch, its shared memory, no other block.
  begin = fresh_order();
  order_release(begin);
  running->fiber->jump_from(scheduler_);
  running = nullptr;
  if (error_.empty() && live_ > 0) error_ = deadlock();
  if (!error_.empty()) throw std::runtime_error(error_);
}

// In thread order; goes last to first from the back of the stack.
void Block::make_ready(Thread** woken, size_t count) {
  const Schedule schedule = options().schedule;
  if (schedule == Schedule::random) {
    for (size_t i = count; i > 1; i--) std::swap(woken[i - 1], woken[random() % i]);
  }
  if (schedule == Schedule::forward) std::reverse(woken, woken + count);
  ready_.insert(ready_.end(), woken, woken + count);
}

Thread* Block::next() {
  if (ready_.empty()) return nullptr;
  if (options().schedule == Schedule::random && random() % 8 == 0) {
    std::swap(ready_[random() % ready_.size()], ready_.back());
  }
  Thread* thread = ready_.back();
  ready_.pop_back();
  return thread;
}

// xorshift64* (Marsaglia 2003, Vigna 2016).
uint64_t Block::random() {
  random_ ^= random_ >> 12;
  random_ ^= random_ << 25;
  random_ ^= random_ >> 27;
  return random_ * 0x2545F4914F6CDD1Du >> 11;
}

void Block::suspend(Thread& thread, const Site& site) {
  thread.waiting = site;
  Thread* then = next();
  if (then == &thread) return;
  running = then;
  (then != nullptr ? *then->fiber : scheduler_).jump_from(*thread.fiber);
}

void Block::exit(Thread& thread) {
  thread.exited = true;
  thread.warp->exited |= 1u << thread.lane;
  live_--;
  Thread* then = next();
  running = then;
  (then != nullptr ? *then->fiber : scheduler_).jump_from(*thread.fiber, true);
  std::abort();
}

void Block::abandon(const std::string& error) {
  error_ = error;
  Thread& thread = current();
  running = nullptr;
  scheduler_.jump_from(*thread.fiber);
  std::abort();
}

// Who waits where, each place once.
std::string Block::deadlock() const {
  std::vector<std::pair<Site, int>> places;
  for (const auto& thread : threads) {
    if (thread->exited) continue;
    const auto known = std::find_if(places.begin(), places.end(), [&](const auto& place) {
      return same(place.first, thread->waiting);
    });
    if (known == places.end()) {
      places.emplace_back(thread->waiting, 1);
    } else {
      known->second++;
    }
  }
  const dim3& at = block_place.index;
  std::string text = "block (" + std::to_string(at.x) + "," + std::to_string(at.y) + "," +
                     std::to_string(at.z) + ") can never go on:";
  for (const auto& [site, number] : places) {
    text += " " + std::to_string(number) + " threads wait for others in " + text_of(site) + ";";
  }
  return text + " " + std::to_string(int(threads.size()) - live_) + " have ended";
}

void warp_collective(uint32_t mask, Leader leader, void* argument, const Site& site) {
  Thread& thread = current();
  Warp& warp = *thread.warp;
  const Unwatched unwatched;
  if ((mask >> thread.lane & 1) == 0) fail(site, "the calling lane is not in its own mask");
  if ((mask & (warp.exited | ~warp.present)) != 0) fail(site, "the mask names lanes that ended");
  Collective* group = nullptr;
  for (Collective& other : warp.groups) {
    if (other.arrived == 0) {
      if (group == nullptr) group = &other;
    } else if ((other.mask & mask) != 0) {
      if (other.mask != mask || other.leader != leader || !same(other.site, site)) {
        const std::string there = "other lanes of the warp are in " + text_of(other.site);
        fail(site, there.c_str());
      }
      group = &other;
      break;
    }
  }
  if (group == nullptr) fail(site, "lanes of the warp are at too many different instructions");
  if (group->arrived == 0) {
    group->mask = mask;
    group->leader = leader;
    group->site = site;
  }
  group->arrived |= 1u << thread.lane;
  group->arguments[thread.lane] = argument;
  Block& block = current_block();
  if (group->arrived != mask) {
    block.suspend(thread, site);
    return;
  }
  leader(group->arguments, mask);
  group->arrived = 0;
  Thread* woken[32];
  size_t number = 0;
  for (unsigned lane = 0; lane < 32; lane++) {
    const unsigned first = thread.linear - thread.lane;
    if ((mask >> lane & 1) != 0) woken[number++] = block.threads[first + lane].get();
  }
  block.make_ready(woken, number);
  block.suspend(thread, {});
}

void warp_barrier(uint32_t mask, const Site& site) {
  Warp& warp = *current().warp;
  if (warp.order == nullptr) warp.order = fresh_order();
  void* order = warp.order;
  order_release(order);
  warp_collective(
      mask, [](void* const*, uint32_t) { current().warp->order = nullptr; }, nullptr, site);
  order_acquire(order);
}

bool block_any(bool predicate, const Site& site) {
  const Unwatched unwatched;
  Thread& thread = current();
  Block& block = current_block();
  Barrier& barrier = block.barrier;
  if (barrier.waiting.empty()) {
    barrier.site = site;
    barrier.any = false;
    barrier.order = fresh_order();
  } else if (!same(barrier.site, site)) {
    const std::string there = "other threads of the block are in " + text_of(barrier.site);
    fail(site, there.c_str());
  }
  void* order = barrier.order;
  order_release(order);
  barrier.any |= predicate;
  barrier.waiting.push_back(&thread);
  if (barrier.waiting.size() == block.threads.size()) {
    barrier.result = barrier.any;
    std::vector<Thread*> woken;
    std::swap(woken, barrier.waiting);
    std::sort(woken.begin(), woken.end(),
              [](const Thread* a, const Thread* b) { return a->linear < b->linear; });
    block.make_ready(woken.data(), woken.size());
  }
  block.suspend(thread, site);
  order_acquire(order);
  // Nobody gets through the next barrier before this thread has reached it.
  return barrier.result;
}

void block_barrier(const Site& site) { block_any(false, site); }

namespace {

void check_launch(const char* name, dim3 grid, dim3 dim, size_t shared_bytes) {
  const auto refuse = [&](const char* what, uint64_t value, uint64_t most) {
    if (value >= 1 && value <= most) return;
    throw std::runtime_error(std::string(name) + ": a launch with " + std::to_string(value) + " " +
                             what + "; devices take 1 to " + std::to_string(most));
  };
  refuse("blocks in x", grid.x, kMostBlocksX);
  refuse("blocks in y", grid.y, kMostBlocksYZ);
  refuse("blocks in z", grid.z, kMostBlocksYZ);
  refuse("threads", uint64_t(dim.x) * dim.y * dim.z, kMostThreads);
  refuse("bytes of shared memory, plus one", shared_bytes + 1, kMostShared + 1);
}

// Blocks keep their stacks from one launch to the next.
class Pool {
 public:
  std::unique_ptr<Block> take() {
    const std::lock_guard lock(mutex_);
    if (blocks_.empty()) return std::make_unique<Block>();
    std::unique_ptr<Block> block = std::move(blocks_.back());
    blocks_.pop_back();
    return block;
  }
  void give(std::unique_ptr<Block> block) {
    const std::lock_guard lock(mutex_);
    blocks_.push_back(std::move(block));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

struct Launch {
  const char* name;
  dim3 grid, dim;
  size_t shared_bytes;
  void (*body)(const void* context);
  const void* context;
  std::atomic<uint64_t> next{0};
  std::mutex mutex{};
  std::string error{};

  // Runs one block after another until none is left.
  void work() {
    static Pool pool;
    std::unique_ptr<Block> block = pool.take();
    const uint64_t total = uint64_t(grid.x) * grid.y * grid.z;
    try {
      block->prepare(dim, shared_bytes);
      block->body = body;
      block->context = context;
      for (uint64_t i; (i = next.fetch_add(1)) < total;) {
        const dim3 index(unsigned(i % grid.x), unsigned(i / grid.x % grid.y),
                         unsigned(i / grid.x / grid.y));
        block->run({index, dim, grid, nullptr, shared_bytes}, options().seed + i);
      }
      pool.give(std::move(block));
    } catch (const std::exception& e) {
      // Its fibers stand in the middle of something: the block is not used again, nor destroyed.
      static auto* abandoned = new std::vector<std::unique_ptr<Block>>;
      next = total;
      const std::lock_guard lock(mutex);
      abandoned->push_back(std::move(block));
      if (error.empty()) error = std::string(name) + ": " + e.what();
    }
  }
};

}  // namespace

void run_grid(const char* name, dim3 grid, dim3 dim, size_t shared_bytes,
              void (*body)(const void* context), const void* context) {
  check_launch(name, grid, dim, shared_bytes);
  Launch launch{name, grid, dim, shared_bytes, body, context};
  renew_orders();
  const uint64_t total = uint64_t(grid.x) * grid.y * grid.z;
  const uint64_t workers = std::min<uint64_t>(uint64_t(omp_get_max_threads()), total);
  std::vector<std::thread> others;
  for (uint64_t i = 1; i < workers; i++) others.emplace_back([&] { launch.work(); });
  launch.work();
  for (std::thread& other : others) other.join();
  order_acquire(orders);
  if (!launch.error.empty()) throw std::runtime_error(launch.error);
}

}  // namespace pt::on_host
