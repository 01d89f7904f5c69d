// What a machine tells messages by, whatever their words: MESSAGE_ID in the journal, as `journalctl
// MESSAGE_ID=...` takes it. A promise to users, listed in docs/operations.md: an id is never changed, and
// never used for something else.
#pragma once

#include "base/log.hpp"

namespace holdfast::journal_id {

inline constexpr LogField started{"MESSAGE_ID", "01a4f59ee8bc1a2850dc7352531e653a"};
inline constexpr LogField stopped{"MESSAGE_ID", "de6c9619719419a6dc5b0985502e90db"};
inline constexpr LogField connected{"MESSAGE_ID", "faf81c11c014a45573a09bb41fdf5208"};
inline constexpr LogField connection_failed{"MESSAGE_ID", "996cad931904a1f6f8fe8f8652a951a5"};
inline constexpr LogField connection_lost{"MESSAGE_ID", "d6f588d3eb95bdc7497fb5a92d3fc350"};
inline constexpr LogField input_failing{"MESSAGE_ID", "1bc7d1e08a2d155b9755e91c1347c71a"};
inline constexpr LogField input_failed{"MESSAGE_ID", "0768d2dbba405fac608bdba1171e4997"};
inline constexpr LogField input_recovered{"MESSAGE_ID", "f6550bd11434574213a016cfedd0f582"};
inline constexpr LogField buffer_full{"MESSAGE_ID", "5b1f3a573d060b75cdd8946331acf595"};
inline constexpr LogField buffer_has_room{"MESSAGE_ID", "75229c7a9a82ef9198b966270b2a4fb2"};
inline constexpr LogField buffer_unwritable{"MESSAGE_ID", "62a39acb05602e00479bcc31c83f2b81"};
inline constexpr LogField buffer_writable{"MESSAGE_ID", "4a7ef929bb1bf795154db906382ca73a"};
inline constexpr LogField buffer_damaged{"MESSAGE_ID", "b8b111f6da58c0a83657471f78a5419d"};
inline constexpr LogField messages_refused{"MESSAGE_ID", "b9e7b3193cdd3fe55746e3e50fa6fd2d"};
inline constexpr LogField configuration_refused{"MESSAGE_ID", "7443c94db3cdad2867ce70967fdc2628"};

}  // namespace holdfast::journal_id
