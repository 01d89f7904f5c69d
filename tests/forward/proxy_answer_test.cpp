#include "forward/proxy_answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using State = ProxyAnswer::State;
using ::testing::ElementsAre;

ProxyAnswer answer_of(std::string_view bytes) {
    ProxyAnswer answer;
    answer.take(bytes);
    return answer;
}

TEST(ProxyAnswer, IsReadWithOrWithoutReasonCarriageReturnAndHeaders) {
    const std::pair<const char*, const char*> good[] = {
        {"HTTP/1.1 200 Connection established\r\n\r\n", "200 Connection established"},
        {"HTTP/1.0 200 OK\r\nVia: 1.1 a\r\nX: y\r\n\r\n", "200 OK"},
        {"HTTP/1.1 200\r\n\r\n", "200"},
        {"HTTP/1.1 200 \r\n\r\n", "200"},
        {"HTTP/1.1 502 Bad gateway\nA: b\n\n", "502 Bad gateway"},
        {"HTTP/1.1 403 no\x1b[31m\xc3\xbc\r\n\r\n", "403 no?[31m??"},
    };
    for (const auto& [bytes, text] : good) {
        const ProxyAnswer answer = answer_of(bytes);
        EXPECT_EQ(answer.state(), State::complete) << bytes;
        EXPECT_EQ(answer.status_text(), text);
    }
}

TEST(ProxyAnswer, TakesNothingOfWhatFollowsHoweverItIsCut) {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    const std::string all = head + "\x16\x03\x01\r\n\r\nHTTP/1.1 500 no\r\n\r\n";
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
        ProxyAnswer answer;
        std::size_t taken = 0;
        while (answer.state() == State::incomplete)
            taken += answer.take(std::string_view(all).substr(taken, piece));
        EXPECT_EQ(answer.state(), State::complete);
        EXPECT_EQ(answer.status(), 200);
        EXPECT_EQ(taken, head.size()) << "in pieces of " << piece;
    }
}

TEST(ProxyAnswer, PassesOverInterimAnswers) {
    const ProxyAnswer answer =
        answer_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
    EXPECT_EQ(answer.state(), State::complete);
    EXPECT_EQ(answer.status(), 200);
    EXPECT_EQ(answer_of("HTTP/1.1 101 Switching\r\n\r\n").state(), State::complete);
}

TEST(ProxyAnswer, NamesTheSchemesThatAreAskedFor) {
    const ProxyAnswer answer = answer_of(
        "HTTP/1.1 407 x\r\nproxy-authenticate: Negotiate\r\nPROXY-AUTHENTICATE:NTLM TlRM\r\n"
        "X-Proxy-Authenticate: no\r\nProxy-Authenticate: Basic realm=\"a\"\r\n\r\n");
    EXPECT_THAT(answer.schemes(), ElementsAre("Negotiate", "NTLM", "Basic"));
    const ProxyAnswer list = answer_of(
        "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate, Basic realm=\"a, b\\\", c\", charset=\"UTF-8\",, "
        "Bearer\r\n\r\n");
    EXPECT_THAT(list.schemes(), ElementsAre("Negotiate", "Basic", "Bearer"));
}

TEST(ProxyAnswer, IsKnownAsNoHttpByItsFirstBytes) {
    for (const char* bytes : {"S", "HTTP/2", "HTTQ", "\x05", "\x15\x03\x03", "\r\n", "http/1.1 200 OK"})
        EXPECT_EQ(answer_of(bytes).state(), State::no_http) << bytes;
    for (const char* bytes :
         {"HTTP/1.1 20\r\n", "HTTP/1.1 2000 OK\r\n", "HTTP/1.1 x00 OK\r\n", "HTTP/1.1\r\n",
          "HTTP/1.1 000 OK\r\n", "HTTP/1.x 200 OK\r\n", "HTTP/1.1200 OK\r\n"})
        EXPECT_EQ(answer_of(bytes).state(), State::no_http) << bytes;
    EXPECT_EQ(answer_of("HTTP/1").state(), State::incomplete);
}

TEST(ProxyAnswer, IsBoundedAsAWholeAndByLine) {
    const std::string begun = "HTTP/1.1 200 OK\r\n";
    EXPECT_EQ(answer_of(begun + std::string(ProxyAnswer::most_bytes, 'x')).state(), State::too_long);
    std::string headers = begun;
    while (headers.size() <= ProxyAnswer::most_bytes)
        headers += "A: b\r\n";
    EXPECT_EQ(answer_of(headers).state(), State::too_long);
    std::string interim;
    while (interim.size() <= ProxyAnswer::most_bytes)
        interim += "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_EQ(answer_of(interim).state(), State::too_long);

    const std::string full =
        begun + std::string(ProxyAnswer::most_bytes - begun.size() - 4, 'x') + "\r\n\r\n";
    EXPECT_EQ(answer_of(full).state(), State::complete);
}

}  // namespace
}  // namespace holdfast
