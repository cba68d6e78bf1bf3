/* SPDX-License-Identifier: MIT */
/* Feeds a fuzzer every file of the folders named, once. An empty folder is an error: then nothing would be tested. */
#include "base/file.h"

#include <dirent.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CASE_MAX = 16 << 20 };

static int run_folder(const char *dir)
{
    struct dirent **entries = NULL;
    int fed = 0;
    int count = scandir(dir, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        mr_autofree char *path = entries[i]->d_name[0] == '.' ? NULL : mr_path_join(dir, entries[i]->d_name);
        mr_autofree char *text = NULL;
        size_t len = 0;
        if (path && mr_file_read(path, CASE_MAX, &text, &len, NULL) == MR_OK) {
            LLVMFuzzerTestOneInput((const uint8_t *)text, len);
            fed++;
        }
        free(entries[i]);
    }
    free(entries);
    printf("%s: %d cases\n", dir, fed);
    return fed;
}

int main(int argc, char **argv)
{
    int good = argc > 1;
    for (int i = 1; i < argc; i++)
        good = run_folder(argv[i]) > 0 && good;
    return good ? 0 : 1;
}
