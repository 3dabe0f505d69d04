// The choice of an instruction set: by name, by environment, and what it says of a wrong one.
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>

#include "check.h"

namespace pt::test {
namespace {

// The message of the error that body raises; empty when it raises none.
template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& message, const char* word) {
  return message.find(word) != std::string::npos;
}

// Must come before any other choice: the environment is read when the first kernel is asked for.
void wrong_environment(Report& report) {
  report.begin("PYTRANSFORMER_ISA names nothing");
  setenv("PYTRANSFORMER_ISA", "sse9", 1);
  for (int attempt = 0; attempt < 2; attempt++) {
    const std::string message = message_of([] { kernels(); });
    report.require(says(message, "sse9") && says(message, "generic"), "message: " + message);
  }
}

void environment_decides(Report& report) {
  report.begin("PYTRANSFORMER_ISA decides");
  setenv("PYTRANSFORMER_ISA", "generic", 1);
  report.require(std::strcmp(kernels().isa, "generic") == 0, "another set is in use");
}

void names_decide(Report& report) {
  AvailableKernels tables[kMaxIsas];
  const int count = available_kernels(tables);
  for (int i = 0; i < count; i++) {
    const char* isa = tables[i].table->isa;
    report.begin(std::string("select ") + isa);
    const std::string message = message_of([&] { select_kernels(isa); });
    if (tables[i].runs_here) {
      report.require(message.empty() && &kernels() == tables[i].table, "not in use: " + message);
    } else {
      report.require(says(message, isa) && says(message, "lacks"), "message: " + message);
    }
  }
  report.begin("select nothing");
  const Kernels* before = &kernels();
  const std::string message = message_of([] { select_kernels("sse9"); });
  report.require(says(message, "sse9"), "message: " + message);
  for (int i = 0; i < count; i++) {
    report.require(says(message, tables[i].table->isa), "a choice is not named: " + message);
  }
  report.require(&kernels() == before, "a refused choice changed the set in use");
}

void tables_are_whole(Report& report) {
  for_each_isa([&](const Kernels& table) {
    report.begin(std::string("table of ") + table.isa);
#define PT_REQUIRE(name, Args) report.require(table.name != nullptr, #name " is missing");
    PT_FOR_EACH_KERNEL(PT_REQUIRE)
#undef PT_REQUIRE
  });
}

}  // namespace
}  // namespace pt::test

int main() {
  pt::test::Report report;
  pt::test::wrong_environment(report);
  pt::test::environment_decides(report);
  pt::test::names_decide(report);
  pt::test::tables_are_whole(report);
  return report.finish();
}
