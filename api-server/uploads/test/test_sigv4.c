/* SPDX-License-Identifier: MIT */
/* The examples of the S3 API reference ("Examples: Signature Calculations", "Authenticating Requests: Using Query Parameters"), and what must fail.
 */
#include "api-server/uploads/sigv4.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET       "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define KEY_ID       "AKIAIOSFODNN7EXAMPLE"
#define SCOPE        "20130524/us-east-1/s3/aws4_request"
#define HOST         "examplebucket.s3.amazonaws.com"
#define EMPTY        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define NOW          1369353600 /* 2013-05-24T00:00:00Z */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static mr_sigv4_verdict verify(const mr_sigv4_request *request, int64_t now_s)
{
    mr_sigv4_claim claim;
    unsigned char key[MR_SIGV4_KEY];
    const mr_sigv4_verdict read = mr_sigv4_read(request, &claim);
    if (read != MR_SIGV4_GOOD)
        return read;
    if (strcmp(claim.key_id, KEY_ID) != 0) /* nobody's key */
        return MR_SIGV4_MISMATCH;
    return mr_sigv4_verify(request, &claim, SECRET, now_s, key);
}

#define AUTH(names, signature) "AWS4-HMAC-SHA256 Credential=" KEY_ID "/" SCOPE ",SignedHeaders=" names ",Signature=" signature

static const mr_sigv4_field get_fields[] = {
    {"Host", HOST},
    {"Authorization", AUTH("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")},
    {"Range", "bytes=0-9"},
    {"x-amz-content-sha256", EMPTY},
    {"x-amz-date", "20130524T000000Z"},
};
static const mr_sigv4_field put_fields[] = {
    {"Host", HOST},
    {"Date", "Fri, 24 May 2013 00:00:00 GMT"},
    {"Authorization",
     AUTH("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")},
    {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
    {"x-amz-content-sha256", "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
    {"x-amz-date", "20130524T000000Z"},
};
static const mr_sigv4_field lifecycle_fields[] = {
    {"Host", HOST},
    {"Authorization", AUTH("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")},
    {"x-amz-content-sha256", EMPTY},
    {"x-amz-date", "20130524T000000Z"},
};
static const mr_sigv4_field list_fields[] = {
    {"Host", HOST},
    {"Authorization", AUTH("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")},
    {"x-amz-content-sha256", EMPTY},
    {"x-amz-date", "20130524T000000Z"},
};
static const mr_sigv4_field host_only[] = {{"host", HOST}};
#define PRESIGNED                                                                                                                                    \
    "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"                    \
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"                                                                      \
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"

static const mr_sigv4_request examples[] = {
    {"GET", "/test.txt", get_fields, COUNT(get_fields)},
    {"PUT", "/test$file.text", put_fields, COUNT(put_fields)},
    {"PUT", "/test%24file.text", put_fields, COUNT(put_fields)}, /* however it is written */
    {"GET", "/?lifecycle", lifecycle_fields, COUNT(lifecycle_fields)},
    {"GET", "/?max-keys=2&prefix=J", list_fields, COUNT(list_fields)},
    {"GET", "/?prefix=%4A&max-keys=2", list_fields, COUNT(list_fields)},
    {"GET", PRESIGNED, host_only, COUNT(host_only)},
};

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++)
        assert_int_equal(verify(&examples[i], NOW), MR_SIGV4_GOOD);
}

/* Whatever byte of method, target or signed fields changes, it is no longer good. */
static void test_tampered(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(examples); i++) {
        const size_t len = strlen(examples[i].target);
        for (size_t at = 1; at < len; at++) {
            char *target = strdup(examples[i].target);
            mr_sigv4_request request = examples[i];
            target[at] = target[at] == 'x' ? 'y' : 'x';
            request.target = target;
            assert_int_not_equal(verify(&request, NOW), MR_SIGV4_GOOD);
            free(target);
        }
        mr_sigv4_request request = examples[i];
        request.method = "DELETE";
        assert_int_equal(verify(&request, NOW), MR_SIGV4_MISMATCH);
        for (size_t f = 0; f < request.field_count; f++) {
            mr_sigv4_field fields[8];
            char value[512];
            memcpy(fields, request.fields, request.field_count * sizeof(*fields));
            snprintf(value, sizeof(value), "%s1", fields[f].value);
            fields[f].value = value;
            mr_sigv4_request other = request;
            other.fields = fields;
            assert_int_not_equal(verify(&other, NOW), MR_SIGV4_GOOD);
        }
    }
}

static void test_times(void **state)
{
    (void)state;
    assert_int_equal(verify(&examples[0], NOW + MR_SIGV4_SKEW_S), MR_SIGV4_GOOD);
    assert_int_equal(verify(&examples[0], NOW + MR_SIGV4_SKEW_S + 1), MR_SIGV4_SKEWED);
    assert_int_equal(verify(&examples[0], NOW - MR_SIGV4_SKEW_S - 1), MR_SIGV4_SKEWED);
    const mr_sigv4_request *presigned = &examples[COUNT(examples) - 1];
    assert_int_equal(verify(presigned, NOW + 86400), MR_SIGV4_GOOD);
    assert_int_equal(verify(presigned, NOW + 86401), MR_SIGV4_EXPIRED);
    assert_int_equal(verify(presigned, NOW - MR_SIGV4_SKEW_S - 1), MR_SIGV4_SKEWED);
}

static void test_unsigned_fields(void **state)
{
    (void)state;
    const mr_sigv4_field smuggled[] = {{"host", HOST}, {"x-amz-acl", "public-read"}};
    mr_sigv4_request request = examples[COUNT(examples) - 1];
    request.fields = smuggled;
    request.field_count = 2;
    assert_int_equal(verify(&request, NOW), MR_SIGV4_NOT_SIGNED);
    const mr_sigv4_field nothing[] = {{"host", HOST}};
    request = (mr_sigv4_request){"GET", "/test.txt", nothing, 1};
    assert_int_equal(verify(&request, NOW), MR_SIGV4_NONE);
    const mr_sigv4_field bearer[] = {{"host", HOST}, {"authorization", "Bearer x"}};
    request = (mr_sigv4_request){"GET", "/test.txt", bearer, 2};
    assert_int_equal(verify(&request, NOW), MR_SIGV4_NONE);
    const mr_sigv4_field broken[] = {{"host", HOST}, {"authorization", "AWS4-HMAC-SHA256 Credential=a/b, Signature="}};
    request = (mr_sigv4_request){"GET", "/test.txt", broken, 2};
    assert_int_equal(verify(&request, NOW), MR_SIGV4_MALFORMED);
}

static void test_malformed_queries(void **state)
{
    static const char *const targets[] = {
        "/test.txt?X-Amz-Signature=1",  "/test.txt?X-Amz-Signature=%", "/test.txt?X-Amz-Signature=%00", PRESIGNED "&X-Amz-Expires=1", /* twice */
        PRESIGNED "&X-Amz-Signature=1",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        const mr_sigv4_request request = {"GET", targets[i], host_only, 1};
        assert_int_equal(verify(&request, NOW), MR_SIGV4_MALFORMED_QUERY);
    }
    /* More pairs than any request of S3 has. */
    char many[1024] = "/test.txt?X-Amz-Signature=1";
    for (int i = 0; i < 70; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "&a%d=1", i);
    const mr_sigv4_request request = {"GET", many, host_only, 1};
    assert_int_equal(verify(&request, NOW), MR_SIGV4_MALFORMED_QUERY);
}

static void test_presign(void **state)
{
    (void)state;
    char *made = mr_sigv4_presign("GET", "/test.txt", "", host_only, 1, KEY_ID, SECRET, "us-east-1", NOW, 86400);
    assert_non_null(made);
    assert_string_equal(made, PRESIGNED);
    free(made);
    /* Length and type are bound when they are among the fields. */
    const mr_sigv4_field bound[] = {{"content-length", "7"}, {"content-type", "video/mp4"}, {"host", HOST}};
    made = mr_sigv4_presign("PUT", "/uploads/v_1/a b+\xc3\xa4.mp4", "partNumber=1&uploadId=u", bound, 3, KEY_ID, SECRET, "us-east-1", NOW, 60);
    assert_non_null(made);
    assert_non_null(strstr(made, "/uploads/v_1/a%20b%2B%C3%A4.mp4?partNumber=1&"));
    mr_sigv4_request request = {"PUT", made, bound, 3};
    assert_int_equal(verify(&request, NOW + 60), MR_SIGV4_GOOD);
    const mr_sigv4_field longer[] = {{"Content-Length", "8"}, {"Content-Type", "video/mp4"}, {"Host", HOST}};
    request.fields = longer;
    assert_int_equal(verify(&request, NOW), MR_SIGV4_MISMATCH);
    request.field_count = 1;
    assert_int_equal(verify(&request, NOW), MR_SIGV4_MISMATCH);
    free(made);
}

/* "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks". */
static void test_chunks(void **state)
{
    static const mr_sigv4_field fields[] = {
        {"Host", "s3.amazonaws.com"},
        {"x-amz-date", "20130524T000000Z"},
        {"x-amz-storage-class", "REDUCED_REDUNDANCY"},
        {"Authorization",
         AUTH("content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
              "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")},
        {"x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
        {"Content-Encoding", "aws-chunked"},
        {"x-amz-decoded-content-length", "66560"},
        {"Content-Length", "66824"},
    };
    static const char *const hashes[] = {"bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a",
                                         "2edc986847e209b4016e141a6dc8716d3207350f416969382d431539bf292e4a", EMPTY};
    static const char *const signatures[] = {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
                                             "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
                                             "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
    const mr_sigv4_request request = {"PUT", "/examplebucket/chunkObject.txt", fields, COUNT(fields)};
    mr_sigv4_claim claim;
    unsigned char key[MR_SIGV4_KEY];
    char previous[MR_SIGV4_HASH];
    (void)state;
    assert_int_equal(mr_sigv4_read(&request, &claim), MR_SIGV4_GOOD);
    assert_int_equal(mr_sigv4_verify(&request, &claim, SECRET, NOW, key), MR_SIGV4_GOOD);
    memcpy(previous, claim.signature, sizeof(previous));
    for (int i = 0; i < 3; i++) {
        char next[MR_SIGV4_HASH];
        assert_true(mr_sigv4_chunk(key, &claim, previous, hashes[i], false, next));
        assert_string_equal(next, signatures[i]);
        memcpy(previous, next, sizeof(previous));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),        cmocka_unit_test(test_tampered), cmocka_unit_test(test_times),
        cmocka_unit_test(test_unsigned_fields), cmocka_unit_test(test_chunks),   cmocka_unit_test(test_malformed_queries),
        cmocka_unit_test(test_presign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
