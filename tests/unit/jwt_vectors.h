/* jwt_vectors.h - keys and tokens made by other implementations of JOSE; we must agree with them. */
#pragma once

/* A general library's: iss https://idp.example, sub ana, nbf 1700000000, exp 4102444800. */
#define VECTOR_NOW INT64_C(1800000000)
#define VECTOR_RSA_N                                                                                                 \
        "woxeBJZCySs7Gs2a9iBLRU02ILkn7NIu7ZhquXJnUtjHQtFfHuWiR2P1lLm_CzYMBGyQ6q7LVvcvfUICEBzTob31eRgz"               \
        "4qt7fZbOYZouG_qbXPziyC4-bgF0DGTbMu7sZe1AmlZCnr-A1KedNz8KPBQro2-flyAFQky4TyEU7iAErkpuRQOpR3zK"               \
        "KShpH-dNNdoZQ2UQldjqmPiWAgJKBsRdFuK4nvv-MCig4LEaJfcXhQzDZqYSJ_d3WDMMLgZfshEHUmU5WbgLD_LtSRmv"               \
        "1Ad-YRf4-06Wvr2KkFj0byUFJ90pyViR1gDt0WezYy7i2cltFGWwahoBvE_-BCRwCQ"
#define VECTOR_RSA_1024_N                                                                                            \
        "20UKW0SRzRNm5ROvajJ8HvqkT9AEL04q8MzQTq3ruJhLLTVGSEf6162zCeeITbiU1aheZtBCZPCu086Nwz0rwlYZ3oKY"               \
        "FL-sTxQ04Fu5hKJE9QLu7lC41X4HqtNdAXRfGSnApH_t5X2sBsM_qTngeyxlNHbnMnPboG3Kd7jwEQ0"
#define VECTOR_EC_X "BE5HDzlt9XiYXG8Zk_C73G6ktQigOD0iyeWu4C5JWN8"
#define VECTOR_EC_Y "V77QLrqJ9p3UKM3WDoCyM4RclJ-cUhj8KqygBK0Z0rQ"
#define VECTOR_ED_X "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
#define VECTOR_RS256                                                                                                 \
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InIxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwi"               \
        "c3ViIjoiYW5hIiwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDB9.aRZj1Ihjh1HGbiqhC1LtrixQPqG2VgR"               \
        "TtGKk8YfM7nQMxXFNHi9Figk2U_TBgfkpVVn1WKHxh-7T62ifHaSVKUfKaLtmAGjf4khll2j6X3t-eAdS0c-YI6KC8Gu"               \
        "tqv1RS_ksRTlUqzEu_8xZ3ybIJ2f0rVf1cL_Az1sdstwVs7Zu_igXzC5S7Zd7O3rE_odLVoCq941EI9ADIAMH-QrfB8D"               \
        "9oEwS4pTwn4W9yCSer9W5WUmEReqgEj0DEzjM-lRO4_tH509LA5Bz82AJvn2WK9lWEHYB7Jx0GwdUMwYRlObs3K4I6dV"               \
        "hyAdMQKxyW7jDvsDxwlfJ7e8ZVcRi1iiLwA"
#define VECTOR_ES256                                                                                                 \
        "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImUxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwi"               \
        "c3ViIjoiYW5hIiwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDB9.SWuNXNNEaR2CsKUtEHzRRo9fnMqPQic"               \
        "9fbLjqYrdRoTEw99fi51wtLp9E_GUzDKGeOMuPLOE4PMvUwmxhUtQgw"
#define VECTOR_EDDSA                                                                                                 \
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6ImQxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwi"               \
        "c3ViIjoiYW5hIiwiZXhwIjo0MTAyNDQ0ODAwLCJuYmYiOjE3MDAwMDAwMDB9.eItXMIHMzjGYXiFqIiU80VGiTY2dDq9"               \
        "UJevgYItkkAUF5sl6N5gfCMWrKMa0a17OyjQLYhIM0fSWXO60LhBqCQ"
#define VECTOR_EDDSA_NO_KID                                                                                          \
        "eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYW5hIiwiZXhwIjo0MTAyNDQ"               \
        "0ODAwLCJuYmYiOjE3MDAwMDAwMDB9.fz0wNyGRF_E7bhed8StXoH3UYhnwHxcQp6DcPSaqgYyXdU9mT5bWi1TOCGl_Qt"               \
        "PscDAHnX-IO1l8xDx3nfSWBQ"
#define VECTOR_HS256_SECRET "a secret of some length, 32 bytes"
#define VECTOR_HS256                                                                                                 \
        "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3ViIjoiYW5hIiwiZXhwIjo0MTAyNDQ"               \
        "0ODAwLCJuYmYiOjE3MDAwMDAwMDB9.FfEVKKxGAsxMs_FSF5rvcqN2VXGfdzd6Z8AIGM3IeIM"

/* LiveKit's: accepted by its own SDK. */
#define LIVEKIT_KEY    "APIvector01"
#define LIVEKIT_SECRET "vector-secret-0123456789abcdefghijklmnop"
#define LIVEKIT_JOIN                                                                                                 \
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUEl2ZWN0b3IwMSIsInN1YiI6ImNhbmQtNDIiLCJuYmY"               \
        "iOjE3MDAwMDAwMDAsImlhdCI6MTcwMDAwMDAwMCwiZXhwIjo0MTAyNDQ0ODAwLCJuYW1lIjoiQW5hIiwibWV0YWRhdGE"               \
        "iOiJ7XCJjYWxsSWRcIjpcImMxXCJ9IiwiYXR0cmlidXRlcyI6eyJ0ZW5hbnQiOiJ0MSJ9LCJ2aWRlbyI6eyJyb29tIjo"               \
        "iY2FsbC1jMSIsInJvb21Kb2luIjp0cnVlLCJjYW5QdWJsaXNoIjp0cnVlLCJjYW5TdWJzY3JpYmUiOnRydWUsImNhblB"               \
        "1Ymxpc2hEYXRhIjp0cnVlLCJjYW5QdWJsaXNoU291cmNlcyI6WyJtaWNyb3Bob25lIl19LCJyb29tQ29uZmlnIjp7ImF"               \
        "nZW50cyI6W3siYWdlbnROYW1lIjoic2NyZWVuZXIiLCJtZXRhZGF0YSI6IntcImNhbXBhaWduXCI6N30ifV19fQ.FERN"               \
        "pNhki7QwCodMu3gfautkzBUhw1ylg4mAUpwfEPU"
#define LIVEKIT_ADMIN                                                                                                \
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUEl2ZWN0b3IwMSIsIm5iZiI6MTcwMDAwMDAwMCwiaWF"               \
        "0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsInZpZGVvIjp7InJvb20iOiJjYWxsLWMxIiwicm9vbUFkbWluIjp"               \
        "0cnVlfX0.fWJb0k1dpF24g-Vyz87NJG1zX9Mk-ICzr68V1MWA97g"
#define LIVEKIT_BODY                                                                                                 \
        "{\"event\":\"participant_left\", \"room\":{\"sid\":\"RM_v1\", \"name\":\"call-c1\"}, \"parti"               \
        "cipant\":{\"sid\":\"PA_v1\", \"identity\":\"cand-42\", \"state\":\"DISCONNECTED\", \"joinedA"               \
        "t\":\"1700000001\", \"disconnectReason\":\"CLIENT_INITIATED\"}, \"id\":\"EV_vector01\", \"cr"               \
        "eatedAt\":\"1700000100\"}"
#define LIVEKIT_BODY_SHA256 "f7VQ2bhl+aXGiv8ejvpfXwTQy9zoKxMBXW935KtyU8s="
#define LIVEKIT_WEBHOOK                                                                                              \
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJBUEl2ZWN0b3IwMSIsIm5iZiI6MTcwMDAwMDAwMCwiaWF"               \
        "0IjoxNzAwMDAwMDAwLCJleHAiOjQxMDI0NDQ4MDAsInNoYTI1NiI6ImY3VlEyYmhsK2FYR2l2OGVqdnBmWHdUUXk5em9"               \
        "LeE1CWFc5MzVLdHlVOHM9In0.3sk0hMLhLj_CCcyc8CxOzH0FEPuOKYasnaby34-PkCs"
#define LIVEKIT_JOIN_CLAIMS                                                                                          \
        "{\"iss\":\"APIvector01\",\"sub\":\"cand-42\",\"nbf\":1700000000,\"iat\":1700000000,\"exp\":4"               \
        "102444800,\"name\":\"Ana\",\"metadata\":\"{\\\"callId\\\":\\\"c1\\\"}\",\"attributes\":{\"te"               \
        "nant\":\"t1\"},\"video\":{\"room\":\"call-c1\",\"roomJoin\":true,\"canPublish\":true,\"canSu"               \
        "bscribe\":true,\"canPublishData\":true,\"canPublishSources\":[\"microphone\"]},\"roomConfig"                \
        "\":{\"agents\":[{\"agentName\":\"screener\",\"metadata\":\"{\\\"campaign\\\":7}\"}]}}"
#define LIVEKIT_ADMIN_CLAIMS                                                                                         \
        "{\"iss\":\"APIvector01\",\"nbf\":1700000000,\"iat\":1700000000,\"exp\":4102444800,\"video\":"               \
        "{\"room\":\"call-c1\",\"roomAdmin\":true}}"
