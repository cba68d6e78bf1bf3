/* SPDX-License-Identifier: MIT */
/* What clients write: tus' fields, checksums, S3's list of parts and its chunks. */
#include "api-server/uploads/aws_chunked.h"
#include "api-server/uploads/s3_xml.h"
#include "api-server/uploads/tus_fields.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The check values of the catalogue of parametrised CRC algorithms, and of FIPS 180-4 and RFC 1321. */
static void test_checksums(void **state)
{
    static const struct {
        const char *name;
        const char *sum; /* of "123456789" */
    } known[] = {
        {"crc32", "y/Q5Jg=="},
        {"crc32c", "4waSgw=="},
        {"CRC64NVME", "rosUhgp5mIg="},
        {"md5", "JfnnlDI7RTiF9RgfG2JNCw=="},
        {"sha1", "98O8HYCOBHMq32eZZczDTKeuNEE="},
        {"sha256", "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        for (size_t cut = 0; cut <= 9; cut++) {
            mr_sum sum;
            unsigned char bytes[MR_SUM_MAX];
            char text[MR_SUM_TEXT];
            assert_true(mr_sum_begin(&sum, mr_sum_by_name(known[i].name, strlen(known[i].name))));
            assert_true(mr_sum_add(&sum, "123456789", cut) && mr_sum_add(&sum, &"123456789"[cut], 9 - cut));
            mr_base64_encode(bytes, mr_sum_end(&sum, bytes), text);
            assert_string_equal(text, known[i].sum);
            mr_sum_free(&sum);
        }
    }
    assert_int_equal(mr_sum_by_name("sha512", 6), MR_SUM_NONE);
    assert_int_equal(mr_sum_by_name("none", 4), MR_SUM_NONE);
}

static void test_base64(void **state)
{
    static const char *const bad[] = {"A", "AB", "ABC", "AB=C", "A===", "====", "QQ=", "QR==", "QUK=", "QQ==QQ==", "Q Q=", "QUJD\n"};
    char out[16];
    size_t len = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(mr_base64_decode(bad[i], strlen(bad[i]), out, sizeof(out), &len));
    assert_true(mr_base64_decode("QUI=", 4, out, 2, &len) && len == 2 && memcmp(out, "AB", 2) == 0);
    assert_false(mr_base64_decode("QUI=", 4, out, 1, &len));
    assert_true(mr_base64_decode("", 0, out, 1, &len) && len == 0);
}

static void test_metadata(void **state)
{
    static const char *const bad[] = {"a QQ==,a QQ==", "a QQ", ",", "a QQ==,,b", "\x7f QQ==", "a b c"};
    char out[64];
    char long_text[MR_UPLOAD_META + 1];
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(mr_tus_metadata_is_valid(bad[i]));
    assert_true(mr_tus_metadata_is_valid("a QQ==,")); /* some clients end like this */
    const char *good = "filename w7xiZXIubXA0, is_secret,filetype dmlkZW8vbXA0 ,bad AA==";
    assert_true(mr_tus_metadata_is_valid(good));
    assert_true(mr_tus_metadata_is_valid(""));
    assert_true(mr_tus_metadata_get(good, "filename", out, sizeof(out)));
    assert_string_equal(out, "\xc3\xbc"
                             "ber.mp4");
    assert_true(mr_tus_metadata_get(good, "filetype", out, sizeof(out)));
    assert_string_equal(out, "video/mp4");
    assert_true(mr_tus_metadata_get(good, "is_secret", out, sizeof(out)));
    assert_string_equal(out, "");
    assert_false(mr_tus_metadata_get(good, "bad", out, sizeof(out))); /* NUL */
    assert_false(mr_tus_metadata_get(good, "file", out, sizeof(out)));
    assert_false(mr_tus_metadata_get(good, "filetype", out, 9));
    memset(long_text, 'a', MR_UPLOAD_META);
    long_text[MR_UPLOAD_META] = '\0';
    assert_false(mr_tus_metadata_is_valid(long_text));
}

static void test_tus_fields(void **state)
{
    int64_t number = 0;
    mr_sum_kind kind = MR_SUM_NONE;
    unsigned char sum[MR_SUM_MAX];
    mr_upload_role role = MR_UPLOAD_WHOLE;
    char ids[MR_UPLOAD_CONCAT];
    (void)state;
    assert_true(mr_tus_number("0", &number) && number == 0);
    assert_true(mr_tus_number("999999999999999999", &number) && number == 999999999999999999);
    assert_false(mr_tus_number("9999999999999999999", &number));
    assert_false(mr_tus_number("", &number));
    assert_false(mr_tus_number("-1", &number));
    assert_false(mr_tus_number("1 ", &number));
    assert_true(mr_tus_checksum("sha1 98O8HYCOBHMq32eZZczDTKeuNEE=", &kind, sum) && kind == MR_SUM_SHA1);
    assert_true(mr_tus_checksum("whirlpool QQ==", &kind, sum) && kind == MR_SUM_NONE);
    assert_false(mr_tus_checksum("sha1 QQ==", &kind, sum));
    assert_false(mr_tus_checksum("sha1", &kind, sum));
    assert_false(mr_tus_checksum(" QQ==", &kind, sum));
    assert_true(mr_tus_concat("partial", &role, ids) && role == MR_UPLOAD_PARTIAL);
    assert_true(mr_tus_concat("final;/files/a  http://x.example/files/b", &role, ids) && role == MR_UPLOAD_FINAL);
    assert_string_equal(ids, "a b");
    assert_false(mr_tus_concat("final;", &role, ids));
    assert_false(mr_tus_concat("final;/files/", &role, ids));
    assert_false(mr_tus_concat("final;/files/..", &role, ids));
    assert_false(mr_tus_concat("final;/files/a%00", &role, ids));
    assert_false(mr_tus_concat("other", &role, ids));
}

static void test_names(void **state)
{
    static const char *const names[][2] = {
        {"a.mp4", "a.mp4"}, {"../../etc/passwd", "passwd"}, {"C:\\x\\y.mov", "y.mov"}, {"..", "file"}, {"", "file"}, {"a\x01\xff\n.mp4", "a.mp4"},
        {"/", "file"}};
    char name[MR_UPLOAD_NAME];
    char long_name[1024];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        mr_upload_file_name(names[i][0], name);
        assert_string_equal(name, names[i][1]);
    }
    for (size_t i = 0; i + 3 < sizeof(long_name); i += 3)
        memcpy(long_name + i, "\xe2\x82\xac", 4);
    mr_upload_file_name(long_name, name);
    assert_int_equal(strlen(name) % 3, 0); /* no half character */
    assert_false(mr_upload_is_text("\xed\xa0\x80", 3));
    assert_false(mr_upload_is_text("\xc0\x80", 2));
    assert_false(mr_upload_is_text("\xe0\x80\x80", 3));
    assert_false(mr_upload_is_text("\xf4\x90\x80\x80", 4));
    assert_false(mr_upload_is_text("\xc2\x85", 2));
    assert_true(mr_upload_is_text("\xf0\x9f\x98\x80", 4));
}

static void test_parts(void **state)
{
    mr_s3_part *parts = NULL;
    size_t count = 0;
    const char *good =
        "<?xml version=\"1.0\"?><!-- x --><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
        "<Part><ETag>\"abc\"</ETag><PartNumber>1</PartNumber></Part>"
        "<Part><PartNumber> 7 </PartNumber><ETag>&quot;d-e&#34;</ETag><ChecksumCRC32>AAAA</ChecksumCRC32><X/></Part></CompleteMultipartUpload>\n";
    (void)state;
    assert_int_equal(mr_s3_parse_parts(good, strlen(good), &parts, &count), MR_OK);
    assert_int_equal(count, 2);
    assert_int_equal(parts[1].number, 7);
    assert_string_equal(parts[0].etag, "abc");
    assert_string_equal(parts[1].etag, "d-e");
    free(parts);
    for (size_t len = 0; len < strlen(good) - 1; len++) { /* cut anywhere */
        assert_int_equal(mr_s3_parse_parts(good, len, &parts, &count), MR_ERR_INPUT);
        assert_null(parts);
    }
}

#define LIST(inside)       "<CompleteMultipartUpload>" inside "</CompleteMultipartUpload>"
#define PART(number, etag) "<Part><PartNumber>" number "</PartNumber><ETag>" etag "</ETag></Part>"

static void test_bad_parts(void **state)
{
    static const char *const bad[] = {
        LIST(""),
        LIST(PART("0", "a")),
        LIST(PART("10001", "a")),
        LIST(PART("1x", "a")),
        LIST(PART("-1", "a")),
        LIST(PART("1", "")),
        LIST("<Part><ETag>a</ETag></Part>"),
        LIST("<Part><PartNumber>1</PartNumber></Part>"),
        LIST("<Part/>"),
        LIST("text" PART("1", "a")),
        LIST(PART("1", "&xxe;")),
        LIST(PART("1", "<a><b/></a>")),
        LIST(PART("1", "a")) LIST(PART("2", "b")),
        "<!DOCTYPE a [<!ENTITY xxe SYSTEM \"file:///etc/passwd\">]>" LIST(PART("1", "&xxe;")),
        "<Other>" PART("1", "a") "</Other>",
        "<CompleteMultipartUpload>" PART("1", "a") "</Other>",
    };
    mr_s3_part *parts = NULL;
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(mr_s3_parse_parts(bad[i], strlen(bad[i]), &parts, &count), MR_ERR_INPUT);
    const char *order = LIST(PART("2", "a") PART("1", "b"));
    assert_int_equal(mr_s3_parse_parts(order, strlen(order), &parts, &count), MR_ERR_CONFLICT);
    order = LIST(PART("2", "a") PART("2", "b"));
    assert_int_equal(mr_s3_parse_parts(order, strlen(order), &parts, &count), MR_ERR_CONFLICT);
}

/* ---- aws-chunked ---- */

typedef struct gathered {
    char data[70000];
    size_t len;
    char trailers[256];
} gathered;

static mr_status on_data(void *context, const void *data, size_t len)
{
    gathered *to = context;
    assert_true(to->len + len <= sizeof(to->data));
    memcpy(to->data + to->len, data, len);
    to->len += len;
    return MR_OK;
}

static mr_status on_trailer(void *context, const char *name, const char *value)
{
    gathered *to = context;
    snprintf(to->trailers + strlen(to->trailers), sizeof(to->trailers) - strlen(to->trailers), "%s=%s;", name, value);
    return MR_OK;
}

/* In pieces of so many bytes. */
static mr_status decode(const mr_sigv4_claim *claim, const unsigned char *key, const char *body, size_t len, size_t piece, uint64_t length,
                        gathered *to)
{
    mr_aws_chunks chunks = {.context = to, .data = on_data, .trailer = on_trailer, .length = length};
    to->len = 0;
    to->trailers[0] = '\0';
    mr_status status = mr_aws_chunks_begin(&chunks, claim, key);
    for (size_t at = 0; at < len && status == MR_OK; at += piece)
        status = mr_aws_chunks_add(&chunks, body + at, len - at < piece ? len - at : piece);
    if (status == MR_OK)
        status = mr_aws_chunks_end(&chunks);
    mr_aws_chunks_free(&chunks);
    return status;
}

static void test_unsigned_chunks(void **state)
{
    static const unsigned char key[MR_SIGV4_KEY];
    const mr_sigv4_claim claim = {.payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"};
    const char *body = "5\r\nhello\r\n6\r\n world\r\n0\r\nX-Amz-Checksum-CRC32:DUoRhQ==\r\n\r\n";
    gathered to;
    (void)state;
    for (size_t piece = 1; piece <= strlen(body); piece++) {
        assert_int_equal(decode(&claim, key, body, strlen(body), piece, 11, &to), MR_OK);
        assert_int_equal(to.len, 11);
        assert_memory_equal(to.data, "hello world", 11);
        assert_string_equal(to.trailers, "x-amz-checksum-crc32=DUoRhQ==;");
    }
    for (size_t len = 0; len < strlen(body); len++)
        assert_int_equal(decode(&claim, key, body, len, 7, 11, &to), MR_ERR_INPUT);
    assert_int_equal(decode(&claim, key, body, strlen(body), 7, 10, &to), MR_ERR_LIMIT);
    assert_int_equal(decode(&claim, key, body, strlen(body), 7, 12, &to), MR_ERR_INPUT);
}

static void test_bad_chunks(void **state)
{
    static const unsigned char key[MR_SIGV4_KEY];
    static const char *const bad[] = {
        "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "x\r\n",
        "\r\n",
        "5;chunk-signature=1\r\nhello\r\n0\r\n\r\n",
        "-5\r\n",
        "0x5\r\nhello\r\n",
        "fffffffffff\r\n",
        "5\r\nhello\r\n0\r\nname\r\n\r\n",
        "5\r\nhello\r\n0\r\n:v\r\n\r\n",
        "5\r\nhello\r\n0\r\n\r\nmore",
        " 5\r\nhello\r\n",
        "5\r\nhello\r\n0\r\nx-amz-trailer-signature:1\r\n\r\n",
        "5\r\nhello\r\n0\r\na:1\r\na:1\r\na:1\r\na:1\r\na:1\r\na:1\r\na:1\r\na:1\r\na:1\r\n\r\n",
    };
    const mr_sigv4_claim claim = {.payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"};
    gathered to;
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t piece = 1; piece < 40; piece += 6)
            assert_int_not_equal(decode(&claim, key, bad[i], strlen(bad[i]), piece, 5, &to), MR_OK);
    }
    char line[700];
    memset(line, '0', sizeof(line)); /* a line that never ends */
    assert_int_equal(decode(&claim, key, line, sizeof(line), 100, 5, &to), MR_ERR_INPUT);
    const mr_sigv4_claim other = {.payload = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"};
    assert_int_equal(decode(&other, key, "", 0, 1, 5, &to), MR_ERR_UNSUPPORTED);
}

/* The example of "Transferring Payload in Multiple Chunks", and the one with trailing fields. */
static const struct example {
    const char *payload, *signature, *chunks[3], *trailer, *trailer_signature;
} examples[] = {
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
     "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
     {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
      "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"},
     NULL,
     NULL},
    {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
     "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
     {"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2", "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
      "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"},
     "x-amz-checksum-crc32c:sOO8/Q==",
     "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"},
};

static size_t write_example(const struct example *from, char *body)
{
    size_t len = (size_t)snprintf(body, 200, "10000;chunk-signature=%s\r\n", from->chunks[0]);
    memset(body + len, 'a', 65536);
    len += 65536;
    len += (size_t)snprintf(body + len, 200, "\r\n400;chunk-signature=%s\r\n", from->chunks[1]);
    memset(body + len, 'a', 1024);
    len += 1024;
    len += (size_t)snprintf(body + len, 200, "\r\n0;chunk-signature=%s\r\n", from->chunks[2]);
    if (from->trailer)
        len += (size_t)snprintf(body + len, 300, "%s\r\nx-amz-trailer-signature:%s\r\n", from->trailer, from->trailer_signature);
    return len + (size_t)snprintf(body + len, 3, "\r\n");
}

static void test_signed_chunks(void **state)
{
    static const mr_sigv4_field get[] = {
        {"Host", "examplebucket.s3.amazonaws.com"},
        {"Authorization",
         "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=host;range;x-amz-content-sha256;x-amz-"
         "date,Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
        {"Range", "bytes=0-9"},
        {"x-amz-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"x-amz-date", "20130524T000000Z"},
    };
    const mr_sigv4_request request = {"GET", "/test.txt", get, COUNT(get)};
    mr_sigv4_claim claim;
    unsigned char key[MR_SIGV4_KEY] = {0}; /* of that day, whatever the request */
    gathered *to = calloc(1, sizeof(*to));
    char *body = calloc(1, 70000);
    (void)state;
    assert_int_equal(mr_sigv4_read(&request, &claim), MR_SIGV4_GOOD);
    assert_int_equal(mr_sigv4_verify(&request, &claim, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 1369353600, key), MR_SIGV4_GOOD);
    for (size_t i = 0; i < COUNT(examples); i++) {
        snprintf(claim.payload, sizeof(claim.payload), "%s", examples[i].payload);
        snprintf(claim.signature, sizeof(claim.signature), "%s", examples[i].signature);
        const size_t len = write_example(&examples[i], body);
        for (size_t piece = 1; piece < len; piece = piece * 3 + 1)
            assert_int_equal(decode(&claim, key, body, len, piece, 66560, to), MR_OK);
        assert_int_equal(to->len, 66560);
        size_t step = 13;
        for (size_t at = 0; at < len; at += step) { /* any byte, most of all those that are not data */
            step = at > 100 && at < 65600 ? 6553 : 13;
            body[at] ^= 1;
            assert_int_not_equal(decode(&claim, key, body, len, 5000, 66560, to), MR_OK);
            body[at] ^= 1;
        }
    }
    free(body);
    free(to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checksums),     cmocka_unit_test(test_base64),          cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_tus_fields),    cmocka_unit_test(test_names),           cmocka_unit_test(test_parts),
        cmocka_unit_test(test_bad_parts),     cmocka_unit_test(test_unsigned_chunks), cmocka_unit_test(test_bad_chunks),
        cmocka_unit_test(test_signed_chunks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
