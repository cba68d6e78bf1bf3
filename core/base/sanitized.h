/* SPDX-License-Identifier: MIT */
/* Whether a sanitizer is built in. Sanitizers keep an address space of terabytes, and a thread or two of their own. */
#ifndef MR_BASE_SANITIZED_H
#define MR_BASE_SANITIZED_H

#if defined(__has_feature)
#define MR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define MR_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || MR_HAS_FEATURE(thread_sanitizer)
#define MR_WITH_TSAN 1
#else
#define MR_WITH_TSAN 0
#endif
#if defined(__SANITIZE_ADDRESS__) || MR_HAS_FEATURE(address_sanitizer)
#define MR_WITH_ASAN 1
#else
#define MR_WITH_ASAN 0
#endif
#if MR_WITH_ASAN || MR_WITH_TSAN || MR_HAS_FEATURE(memory_sanitizer)
#define MR_SANITIZED 1
#else
#define MR_SANITIZED 0
#endif

#endif
