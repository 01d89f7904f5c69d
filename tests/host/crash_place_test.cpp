#include "host/crash_place.hpp"

#include <gtest/gtest.h>

namespace holdfast::host {
namespace {

std::string plain(std::string_view symbol, std::size_t room = 100) {
    std::string out(room, '\0');
    return std::string(plain_symbol(symbol, out));
}

TEST(PlainSymbol, NamesTheFunctionWithItsScopes) {
    EXPECT_EQ(plain("read_register"), "read_register");
    EXPECT_EQ(plain("_Z6samplePv"), "sample");
    EXPECT_EQ(plain("_ZL6samplePv"), "sample");
    EXPECT_EQ(plain("_ZN5Probe6sampleEv"), "Probe::sample");
    EXPECT_EQ(plain("_ZNK5Probe6sampleEv"), "Probe::sample");
    EXPECT_EQ(plain("_ZN12_GLOBAL__N_112sample_badlyERNS_5RogueE"), "sample_badly");
    EXPECT_EQ(plain("_ZN12_GLOBAL__N_1L12sample_badlyEv"), "sample_badly");
    EXPECT_EQ(plain("_ZN8holdfast6plugin6detail6sampleI5ProbeEEiPv"), "holdfast::plugin::detail::sample");
}

TEST(PlainSymbol, GivesBackWhatItDoesNotUnderstand) {
    for (const std::string_view symbol :
         {"", "_", "_Z", "_ZN", "_ZNE", "_ZN5", "_ZN5Prob", "_Z0", "_Z99999999999999999999x", "_ZNK",
          "_ZNLLLL", "_ZN3fooC1Ev", "_ZdlPv", "_ZTV5Probe", "_ZN-1xE", "_ZN1"})
        EXPECT_EQ(plain(symbol), symbol);
}

TEST(PlainSymbol, CutsWhatDoesNotFit) {
    EXPECT_EQ(plain("_ZN5Probe6sampleEv", 8), "Probe::s");
}

TEST(CrashPlace, IsEmptyOutsideOfThePlugin) {
    EXPECT_EQ(find_crash(nullptr).view(), "");
}

}  // namespace
}  // namespace holdfast::host
