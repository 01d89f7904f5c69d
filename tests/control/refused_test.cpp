#include "control/refused.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "control/served_socket.hpp"
#include "support/make_batch.hpp"

namespace holdfast::test {
namespace {

constexpr std::uint64_t epoch = 0x5f0c1d2e9a7b4c31;
const PayloadIdentity identity{"gw-17", epoch, TimestampUnit::milliseconds};

RefusedMessage sample() {
    RefusedMessage message{simple_batch(812, "host", 3),
                           {812, 0x87, "not authorised \"here\"", 2, 1'795'371'200'000'000}};
    message.batch.header.wall_offset_us = 1'795'371'137'123'000;
    return message;
}

TEST(RefusedShown, JsonHasWhatOperationsPromises) {
    const std::string line = refused_line(sample(), identity, Shown::json);
    ASSERT_EQ(line.back(), '\n');
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["id"], "5f0c1d2e9a7b4c31-812");
    EXPECT_EQ(json["input"], "host");
    EXPECT_EQ(json["kind"], "readings");
    EXPECT_EQ(json["readings"], 3);
    EXPECT_EQ(json["first_ts"], 1'795'371'137'123);
    EXPECT_EQ(json["code"], 0x87);
    EXPECT_EQ(json["reason"], "not authorised \"here\"");
    EXPECT_EQ(json["times"], 2);
    EXPECT_EQ(json["refused_ts"], 1'795'371'200'000);
    EXPECT_FALSE(json.contains("message"));
    const auto whole = nlohmann::json::parse(refused_whole(sample(), identity, Shown::json));
    EXPECT_EQ(whole["message"]["id"], json["id"]);
    EXPECT_EQ(whole["message"]["readings"].size(), 3U);
}

TEST(RefusedShown, TextSaysWhyAndShowsTheMessage) {
    const std::string line = refused_line(sample(), identity, Shown::text);
    EXPECT_EQ(line,
              "5f0c1d2e9a7b4c31-812  host  3 readings from 2026-11-22 18:12:17Z on, set aside "
              "2026-11-22 18:13:20Z after 2 times: not authorised \"here\"\n");
    const std::string whole = refused_whole(sample(), identity, Shown::text);
    ASSERT_TRUE(whole.starts_with(line));
    EXPECT_EQ(nlohmann::json::parse(whole.substr(line.size()))["input"], "host");
}

TEST(RefusedShown, OfADamagedOneWhatItsMarkSays) {
    RefusedMessage message = sample();
    message.batch.body.clear();
    message.damaged = true;
    EXPECT_EQ(refused_line(message, identity, Shown::text),
              "5f0c1d2e9a7b4c31-812  damaged on the disk, 3 readings, set aside 2026-11-22 18:13:20Z after 2 "
              "times: not authorised \"here\"\n");
    const auto json = nlohmann::json::parse(refused_whole(message, identity, Shown::json));
    EXPECT_EQ(json["id"], "5f0c1d2e9a7b4c31-812");
    EXPECT_EQ(json["damaged"], true);
    EXPECT_EQ(json["readings"], 3);
    EXPECT_EQ(json["code"], 0x87);
    EXPECT_FALSE(json.contains("input"));
    EXPECT_FALSE(json.contains("message"));
}

TEST(RefusedRequest, IsReadAndWhatIsNoneOrOfAnotherBufferIsRefused) {
    using Verb = RefusedRequest::Verb;
    const auto list = parse_refused_request("buffer refused list json 17 4711", epoch);
    ASSERT_TRUE(list);
    EXPECT_EQ(list->verb, Verb::list);
    EXPECT_EQ(list->shown, Shown::json);
    EXPECT_EQ(list->from, 17U);
    const auto some =
        parse_refused_request("buffer refused retry 5f0c1d2e9a7b4c31-1 5f0c1d2e9a7b4c31-20 4711", epoch);
    ASSERT_TRUE(some);
    EXPECT_EQ(some->messages, (std::vector<std::uint64_t>{1, 20}));
    const auto all = parse_refused_request("buffer refused drop all 4711", epoch);
    ASSERT_TRUE(all);
    EXPECT_EQ(all->verb, Verb::drop);
    EXPECT_TRUE(all->messages.empty());
    const auto other = parse_refused_request("buffer refused show text 5f0c1d2e9a7b4c32-1 4711", epoch);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().text, "no message 5f0c1d2e9a7b4c32-1 is set aside");
    for (const char* wrong :
         {"buffer refused ", "buffer refused list", "buffer refused list json x 1", "buffer refused retry 1",
          "buffer refused drop  1", "buffer refused show text all 1", "buffer refused burn all 1",
          "buffer refused retry 5f0c1d2e9a7b4c31-1x 4711", "buffer refused retry 5f0c1d2e9a7b4c31- 4711"})
        EXPECT_FALSE(parse_refused_request(wrong, epoch)) << wrong;
}

TEST(RefusedAnswer, EndsAPageAndSaysWhatIsNotThere) {
    RefusedRequest request;
    RefusedListing listing;
    listing.messages.push_back(sample());
    listing.next = 900;
    EXPECT_TRUE(refused_answer(request, listing, identity).ends_with("here\"\nnext 900\n"));
    request.verb = RefusedRequest::Verb::show;
    request.messages = {5};
    EXPECT_EQ(refused_answer(request, RefusedListing{}, identity),
              "error: no message 5f0c1d2e9a7b4c31-5 is set aside\n");
    EXPECT_EQ(settled_answer(Totals{2, 14}), "2 14\n");
    EXPECT_EQ(settled_answer(Error{Error::Kind::gone, "none"}), "error: none\n");
}

// --- what the command line asks

class SettlingRefused : public ServedSocket {
  protected:
    // An agent that settles what it is told, once each; the first so many requests.
    void settle_requests(std::size_t most) {
        serve([this, most](std::string_view request, uid_t) -> std::string {
            if (requests_.size() == most) return "error: the buffer can't be written now\n";
            requests_.emplace_back(request);
            const auto parsed = parse_refused_request(request, epoch);
            const std::size_t messages = parsed ? parsed->messages.size() : 0;
            return std::to_string(messages) + " " + std::to_string(3 * messages) + "\n";
        });
    }
    static std::vector<std::string> ids(std::uint64_t from, std::uint64_t to) {
        std::vector<std::string> all;
        for (std::uint64_t seq = from; seq < to; ++seq)
            all.push_back(message_id(epoch, seq));
        return all;
    }
    std::vector<std::string> requests_;
};

TEST_F(SettlingRefused, AMessageThatIsNamedTwiceCountsOnce) {
    settle_requests(10);
    std::vector<std::string> named = ids(0, 100);
    for (const std::string& id : ids(0, 100))
        named.push_back(id);
    with_client([&] {
        const auto settled = settle_refused(path_, RefusedVerdict::drop, named);
        ASSERT_TRUE(settled) << settled.error().text;
        EXPECT_EQ(settled->batches, 100U);
        EXPECT_EQ(settled->readings, 300U);
    });
    EXPECT_EQ(requests_.size(), 2U);
}

TEST_F(SettlingRefused, WhatWasDroppedBeforeAFailureIsSaid) {
    settle_requests(1);
    with_client([this] {
        const auto settled = settle_refused(path_, RefusedVerdict::drop, ids(0, 100));
        ASSERT_FALSE(settled);
        EXPECT_EQ(settled.error().text, "the buffer can't be written now, after 64 messages were dropped");
    });
}

TEST_F(SettlingRefused, WhatWasTakenUpAgainBeforeAFailureIsSaid) {
    settle_requests(1);
    with_client([this] {
        const auto settled = settle_refused(path_, RefusedVerdict::retry, ids(0, 100));
        ASSERT_FALSE(settled);
        EXPECT_EQ(settled.error().text,
                  "the buffer can't be written now, after 64 messages were taken up to be sent again");
    });
}

}  // namespace
}  // namespace holdfast::test
