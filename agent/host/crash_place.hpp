// Where a plugin crashed, in words for the person who mends it: the function, when the plugin's file has
// symbols, and the place in the file, which addr2line(1) turns into a line of source.
//
// remember_plugin() is called once the plugin is loaded. find_crash() is for a signal handler: it allocates
// and locks nothing, and reads the symbols from the plugin's file.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::host {

// `anything` is an address within the shared object `path`.
void remember_plugin(const std::string& path, const void* anything);

struct CrashPlace {
    std::array<char, 256> text;
    std::size_t size = 0;  // 0: the crash was not in the plugin, nor in what it called
    std::string_view view() const { return {text.data(), size}; }
};

// `context` as a handler with SA_SIGINFO is given it.
CrashPlace find_crash(const void* context);

// The function's name with its scopes, without types: "Probe::sample" for "_ZN5Probe6sampleEv". Cut to fit
// `out`; a name that is not understood, or is C's, is given back as it is.
std::string_view plain_symbol(std::string_view symbol, std::span<char> out);

}  // namespace holdfast::host
