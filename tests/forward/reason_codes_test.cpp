#include "forward/reason_codes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace holdfast {
namespace {

using Class = LinkFailure::Class;
using ::testing::HasSubstr;

TEST(ReasonCodes, RefusalsThatAPersonHasToMendAreToldApart) {
    for (const int code : {0x85, 0x86, 0x87, 0x8A, 0x8C, 0x95, 0x9A, 0x9B})
        EXPECT_EQ(connack_failure(Protocol::v5, code).kind, Class::person) << std::hex << code;
    for (const int code : {0x80, 0x83, 0x88, 0x89, 0x97, 0x9C, 0x9D, 0x9F})
        EXPECT_EQ(connack_failure(Protocol::v5, code).kind, Class::passing) << std::hex << code;
    EXPECT_EQ(connack_failure(Protocol::v5, 0x84).kind, Class::protocol_version);
}

TEST(ReasonCodes, Version311NumbersItsOwnFiveRefusals) {
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 1).kind, Class::protocol_version);
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 2).kind, Class::person);
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 3).kind, Class::passing);
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 4).kind, Class::person);
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 5).kind, Class::person);
    EXPECT_THAT(connack_failure(Protocol::v3_1_1, 4).text, HasSubstr("wrong user name or password"));
}

TEST(ReasonCodes, TextNamesTheCode) {
    EXPECT_THAT(connack_failure(Protocol::v5, 0x87).text, HasSubstr("(0x87)"));
    EXPECT_THAT(connack_failure(Protocol::v3_1_1, 5).text, HasSubstr("(5)"));
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 5).code, 5);
}

TEST(ReasonCodes, UnknownCodeIsPassing) {
    EXPECT_EQ(connack_failure(Protocol::v5, 0xEE).kind, Class::passing);
    EXPECT_EQ(connack_failure(Protocol::v3_1_1, 77).kind, Class::passing);
    EXPECT_THAT(disconnect_failure(0xEE).text, HasSubstr("(0xEE)"));
}

TEST(ReasonCodes, LostSessionIsNotMistakenForARefusal) {
    EXPECT_THAT(delivery_failure_text(-11), HasSubstr("session"));
    EXPECT_THAT(delivery_failure_text(0x99), HasSubstr("payload format"));
}

}  // namespace
}  // namespace holdfast
