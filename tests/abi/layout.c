/* SPDX-License-Identifier: MIT */
/*
 * The plugin ABI as it was released, for machines with 64-bit pointers. When this does not compile, plugins that people have built
 * would break: within one MR_ABI_MAJOR a struct that begins with its size may only grow at its end (raise MR_ABI_MINOR, and
 * record the new members and size here); anything else needs a new major.
 */
#include <millrace/plugin.h>

#define AT(type, field, where) _Static_assert(offsetof(type, field) == (where), #type "." #field " has moved")
#define SIZE(type, bytes)      _Static_assert(sizeof(type) == (bytes), #type " has another size")
#define VALUE(name, number)    _Static_assert((name) == (number), #name " has another value")

VALUE(MR_ABI_MAJOR, 1);
VALUE(MR_ABI_MINOR, 6);

#if __SIZEOF_POINTER__ == 8
SIZE(mr_artifact, 56);
AT(mr_artifact, type, 0);
AT(mr_artifact, has_content, 4);
AT(mr_artifact, index, 8);
AT(mr_artifact, size, 16);
AT(mr_artifact, digest, 24);
AT(mr_artifact, name, 32);
AT(mr_artifact, meta, 40);
AT(mr_artifact, meta_len, 48);

SIZE(mr_port, 24);
AT(mr_port, name, 0);
AT(mr_port, types, 8);
AT(mr_port, flags, 12);
AT(mr_port, help, 16);

SIZE(mr_host, 208);
AT(mr_host, size, 0);
AT(mr_host, abi_major, 4);
AT(mr_host, abi_minor, 6);
AT(mr_host, input_count, 8);
AT(mr_host, input, 16);
AT(mr_host, next, 24);
AT(mr_host, read_at, 32);
AT(mr_host, content_fd, 40);
AT(mr_host, content_new, 48);
AT(mr_host, content_write_at, 56);
AT(mr_host, content_free, 64);
AT(mr_host, emit, 72);
AT(mr_host, emit_bytes, 80);
AT(mr_host, emit_from, 88);
AT(mr_host, progress, 96);
AT(mr_host, cancelled, 104);
AT(mr_host, finish, 112);
AT(mr_host, scratch, 120);
AT(mr_host, report, 128);
AT(mr_host, output_dir, 136);
AT(mr_host, effect_key, 144);
AT(mr_host, run_state, 152);
AT(mr_host, limits, 160);     /* 1.1 */
AT(mr_host, output_url, 168); /* 1.2 */
AT(mr_host, service, 176);
AT(mr_host, content_copy_at, 184);
AT(mr_host, log_line, 192); /* 1.3 */
AT(mr_host, arrived, 200);  /* 1.4 */

SIZE(mr_range, 16);
AT(mr_range, offset, 0);
AT(mr_range, size, 8);

SIZE(mr_limits, 128);
AT(mr_limits, size, 0);
AT(mr_limits, picture_pixels, 8);
AT(mr_limits, picture_side, 16);
AT(mr_limits, frame_rate, 24);
AT(mr_limits, packets, 32);
AT(mr_limits, duration, 40);
AT(mr_limits, streams, 48);
AT(mr_limits, sample_rate, 56);
AT(mr_limits, channels, 64);
AT(mr_limits, chapters, 72);
AT(mr_limits, cues, 80);
AT(mr_limits, metadata_bytes, 88);
AT(mr_limits, probe_bytes, 96);
AT(mr_limits, probe_time, 104);
AT(mr_limits, decoded_ratio, 112);
AT(mr_limits, decoded_floor, 120);

SIZE(mr_batch_task, 24);
AT(mr_batch_task, task, 0);
AT(mr_batch_task, op, 8);
AT(mr_batch_task, params, 16);

SIZE(mr_batch, 24);
AT(mr_batch, size, 0);
AT(mr_batch, count, 4);
AT(mr_batch, tasks, 8);
AT(mr_batch, processors, 16); /* 1.5 */

SIZE(mr_op, 104);
AT(mr_op, size, 0);
AT(mr_op, version, 4);
AT(mr_op, name, 8);
AT(mr_op, summary, 16);
AT(mr_op, help, 24);
AT(mr_op, flags, 32);
AT(mr_op, cpu, 36);
AT(mr_op, memory_mb, 40);
AT(mr_op, batch_max, 44);
AT(mr_op, batch_by, 48);
AT(mr_op, inputs, 56);
AT(mr_op, outputs, 64);
AT(mr_op, params, 72);
AT(mr_op, params_size, 80);
AT(mr_op, run, 88);
AT(mr_op, toolchain, 96);

SIZE(mr_ratio, 8);
AT(mr_ratio, num, 0);
AT(mr_ratio, den, 4);

SIZE(mr_list, 16);
AT(mr_list, items, 0);
AT(mr_list, count, 8);

SIZE(mr_param, 88);
AT(mr_param, name, 0);
AT(mr_param, type, 8);
AT(mr_param, flags, 12);
AT(mr_param, offset, 16);
AT(mr_param, standard, 24);
AT(mr_param, min, 32);
AT(mr_param, max, 40);
AT(mr_param, choices, 48);
AT(mr_param, item_type, 56);
AT(mr_param, fields, 64);
AT(mr_param, item_size, 72);
AT(mr_param, help, 80);

SIZE(mr_plugin, 72);
AT(mr_plugin, size, 0);
AT(mr_plugin, abi_major, 4);
AT(mr_plugin, abi_minor, 6);
AT(mr_plugin, name, 8);
AT(mr_plugin, version, 16);
AT(mr_plugin, summary, 24);
AT(mr_plugin, licence, 32);
AT(mr_plugin, ops, 40);
AT(mr_plugin, load, 48);
AT(mr_plugin, filters, 56); /* 1.2 */
AT(mr_plugin, services, 64);

/* 1.2 */
SIZE(mr_filters, 16);
AT(mr_filters, items, 0);
AT(mr_filters, count, 8);

SIZE(mr_filter_use, 48);
AT(mr_filter_use, chain, 8);
AT(mr_filter_use, filter, 16);
AT(mr_filter_use, plugin, 24);
AT(mr_filter_use, params, 32);
AT(mr_filter_use, key, 40);

SIZE(mr_video_format, 40);
AT(mr_video_format, pixels, 4);
AT(mr_video_format, width, 8);
AT(mr_video_format, height, 12);
AT(mr_video_format, frame_rate, 16);
AT(mr_video_format, primaries, 24);
AT(mr_video_format, transfer, 28);
AT(mr_video_format, matrix, 32);

SIZE(mr_plane, 24);
AT(mr_plane, data, 0);
AT(mr_plane, stride, 8);
AT(mr_plane, width, 16);
AT(mr_plane, height, 20);

SIZE(mr_picture, 120);
AT(mr_picture, planes, 4);
AT(mr_picture, number, 8);
AT(mr_picture, time_us, 16);
AT(mr_picture, plane, 24);

SIZE(mr_frame_window, 24);
AT(mr_frame_window, count, 4);
AT(mr_frame_window, frames, 8);
AT(mr_frame_window, at, 16);

SIZE(mr_reach, 16);
AT(mr_reach, back, 4);
AT(mr_reach, ahead, 8);
AT(mr_reach, whole, 12);

SIZE(mr_steering, 16);
AT(mr_steering, set, 8);

SIZE(mr_frame_filter, 128);
AT(mr_frame_filter, size, 0);
AT(mr_frame_filter, version, 4);
AT(mr_frame_filter, name, 8);
AT(mr_frame_filter, summary, 16);
AT(mr_frame_filter, help, 24);
AT(mr_frame_filter, flags, 32);
AT(mr_frame_filter, params, 40);
AT(mr_frame_filter, params_size, 48);
AT(mr_frame_filter, pixels, 56);
AT(mr_frame_filter, reach, 64);
AT(mr_frame_filter, open, 72);
AT(mr_frame_filter, close, 80);
AT(mr_frame_filter, apply, 88);
AT(mr_frame_filter, chain, 96);
AT(mr_frame_filter, settings, 104);
AT(mr_frame_filter, steer, 112);
AT(mr_frame_filter, toolchain, 120);

SIZE(mr_service, 48);
AT(mr_service, service_class, 8);
AT(mr_service, name, 16);
AT(mr_service, summary, 24);
AT(mr_service, help, 32);
AT(mr_service, table, 40);

SIZE(mr_server_error, 1032);
AT(mr_server_error, message, 8);
AT(mr_server_error, hint, 520);

SIZE(mr_platform_host, 200);
AT(mr_platform_host, platform, 8);
AT(mr_platform_host, version, 16);
AT(mr_platform_host, data_dir, 24);
AT(mr_platform_host, share_dir, 32);
AT(mr_platform_host, log, 40);
AT(mr_platform_host, text_free, 48);
AT(mr_platform_host, pipelines, 56);
AT(mr_platform_host, pipeline, 64);
AT(mr_platform_host, pipeline_check, 72);
AT(mr_platform_host, ops, 80);
AT(mr_platform_host, run_start, 88);
AT(mr_platform_host, run_cancel, 96);
AT(mr_platform_host, runs, 104);
AT(mr_platform_host, run, 112);
AT(mr_platform_host, run_log, 120);
AT(mr_platform_host, run_graph, 128);
AT(mr_platform_host, run_demand, 136);
AT(mr_platform_host, source_learn, 144);
AT(mr_platform_host, has_hook, 152);
AT(mr_platform_host, hook, 160);
AT(mr_platform_host, hook_tell, 168);
AT(mr_platform_host, source_grew, 176); /* 1.4 */
AT(mr_platform_host, source_over, 184);
AT(mr_platform_host, run_check, 192); /* 1.6 */

SIZE(mr_server_driver, 72);
AT(mr_server_driver, flags, 4);
AT(mr_server_driver, settings, 8);
AT(mr_server_driver, settings_size, 16);
AT(mr_server_driver, open, 24);
AT(mr_server_driver, address, 32);
AT(mr_server_driver, event, 40);
AT(mr_server_driver, drain, 48);
AT(mr_server_driver, close, 56);
AT(mr_server_driver, administer, 64);

SIZE(mr_storage_error, 520);
AT(mr_storage_error, message, 8);
AT(mr_storage_error, hint, 264);

SIZE(mr_storage_client, 24);
AT(mr_storage_client, context, 8);
AT(mr_storage_client, cancelled, 16);

SIZE(mr_storage_object, 120);
AT(mr_storage_object, bytes, 8);
AT(mr_storage_object, changed_us, 16);
AT(mr_storage_object, tag, 24);

SIZE(mr_storage_put_options, 40);
AT(mr_storage_put_options, flags, 4);
AT(mr_storage_put_options, bytes, 8);
AT(mr_storage_put_options, content_type, 16);
AT(mr_storage_put_options, cache_control, 24);
AT(mr_storage_put_options, if_tag, 32);

SIZE(mr_storage_driver, 152);
AT(mr_storage_driver, flags, 4);
AT(mr_storage_driver, schemes, 8);
AT(mr_storage_driver, open, 16);
AT(mr_storage_driver, close, 24);
AT(mr_storage_driver, head, 32);
AT(mr_storage_driver, read, 40);
AT(mr_storage_driver, list, 48);
AT(mr_storage_driver, put_new, 56);
AT(mr_storage_driver, put_write, 64);
AT(mr_storage_driver, put_fd, 72);
AT(mr_storage_driver, put_commit, 80);
AT(mr_storage_driver, put_free, 88);
AT(mr_storage_driver, remove, 96);
AT(mr_storage_driver, sync, 104);
AT(mr_storage_driver, lock, 112);
AT(mr_storage_driver, part_bytes, 120);
AT(mr_storage_driver, put_part, 128);
AT(mr_storage_driver, presign, 136);
AT(mr_storage_driver, public_url, 144);
#endif

VALUE(MR_OK, 0);
VALUE(MR_END, 1);
VALUE(MR_NOT_YET, 2);
VALUE(MR_ERR_INPUT, -1);
VALUE(MR_ERR_PARAM, -2);
VALUE(MR_ERR_UNSUPPORTED, -3);
VALUE(MR_ERR_UNAVAILABLE, -4);
VALUE(MR_ERR_IO, -5);
VALUE(MR_ERR_NOMEM, -6);
VALUE(MR_ERR_LIMIT, -7);
VALUE(MR_ERR_CANCELLED, -8);
VALUE(MR_ERR_NOT_FOUND, -9);
VALUE(MR_ERR_CONFLICT, -10);
VALUE(MR_ERR_INTERNAL, -11);

VALUE(MR_TYPE_MEDIA, 1);
VALUE(MR_TYPE_CHUNK, 2);
VALUE(MR_TYPE_SEGMENT, 4);
VALUE(MR_TYPE_IMAGE, 8);
VALUE(MR_TYPE_TEXT, 16);
VALUE(MR_TYPE_JSON, 32);
VALUE(MR_TYPE_FILE, 64);
VALUE(MR_TYPE_ANY, 127);
VALUE(MR_PORT_MANY, 1);
VALUE(MR_PORT_OPTIONAL, 2);
VALUE(MR_PORT_STREAMING, 4);
VALUE(MR_PORT_ANY_ORDER, 8);
VALUE(MR_OP_EFFECT, 1);
VALUE(MR_SEVERITY_NOTE, 0);
VALUE(MR_SEVERITY_WARNING, 1);
VALUE(MR_SEVERITY_ERROR, 2);

VALUE(MR_PARAM_TYPE_END, 0);
VALUE(MR_PARAM_TYPE_BOOL, 1);
VALUE(MR_PARAM_TYPE_INT, 2);
VALUE(MR_PARAM_TYPE_NUMBER, 3);
VALUE(MR_PARAM_TYPE_TEXT, 4);
VALUE(MR_PARAM_TYPE_CHOICE, 5);
VALUE(MR_PARAM_TYPE_DURATION, 6);
VALUE(MR_PARAM_TYPE_BITRATE, 7);
VALUE(MR_PARAM_TYPE_SIZE, 8);
VALUE(MR_PARAM_TYPE_RATIO, 9);
VALUE(MR_PARAM_TYPE_URL, 10);
VALUE(MR_PARAM_TYPE_LIST, 11);
VALUE(MR_PARAM_TYPE_JSON, 12);
VALUE(MR_PARAM_REQUIRED, 1);
VALUE(MR_PARAM_SECRET, 2);
VALUE(MR_PARAM_SILENT, 4);
VALUE(MR_PARAM_TYPE_FILTERS, 13);
VALUE(MR_PARAM_WHOLE, 8);
VALUE(MR_PARAM_SCHEMES, 16);

VALUE(MR_FRAME_PLANES, 4);
VALUE(MR_FILTER_REACH_MAX, 32);
VALUE(MR_PIXELS_YUV420P, 1);
VALUE(MR_PIXELS_YUV420P10, 2);
VALUE(MR_FILTER_IN_PLACE, 1);
VALUE(MR_FILTER_STILL, 2);

VALUE(MR_STORAGE_KEY_MAX, 1024);
VALUE(MR_STORAGE_TAG_SIZE, 96);
VALUE(MR_STORAGE_WORDS, 256);
VALUE(MR_PUT_DURABLE, 1);
VALUE(MR_PUT_NEW, 2);
VALUE(MR_PUT_LINK, 4);
VALUE(MR_PRESIGN_GET, 0);
VALUE(MR_PRESIGN_PUT, 1);
VALUE(MR_STORAGE_DURABLE, 1);
VALUE(MR_STORAGE_CONDITIONS, 2);
VALUE(MR_STORAGE_HEADERS, 4);
