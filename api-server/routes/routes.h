/* SPDX-License-Identifier: MIT */
/* The handlers that the table names, by the file that they are in. */
#ifndef MR_ROUTES_ROUTES_H
#define MR_ROUTES_ROUTES_H

#include "api-server/routes/router.h"

/* about.c */
char *mr_about_text(const mr_server *server); /* for server->about; NULL: no memory */
void mr_route_healthz(mr_call *call);
void mr_route_readyz(mr_call *call);
void mr_route_server(mr_call *call);
void mr_route_metrics(mr_call *call);

/* auth.c */
void mr_route_setup_state(mr_call *call);
void mr_route_setup(mr_call *call);
void mr_route_register(mr_call *call);
void mr_route_login(mr_call *call);
void mr_route_refresh(mr_call *call);
void mr_route_logout(mr_call *call);

/* users.c */
void mr_route_me(mr_call *call);
void mr_route_change_me(mr_call *call);
void mr_route_users(mr_call *call);
void mr_route_add_user(mr_call *call);
void mr_route_change_user(mr_call *call);
void mr_route_remove_user(mr_call *call);

/* keys.c */
void mr_route_keys(mr_call *call);
void mr_route_add_key(mr_call *call);
void mr_route_remove_key(mr_call *call);

/* pipelines.c */
void mr_route_pipelines(mr_call *call);
void mr_route_pipeline(mr_call *call);
void mr_route_pipelines_check(mr_call *call);
void mr_route_ops(mr_call *call);

/* runs.c */
void mr_route_runs(mr_call *call);
void mr_route_run(mr_call *call);
void mr_route_run_cancel(mr_call *call);
void mr_route_run_retry(mr_call *call);
void mr_route_run_logs(mr_call *call);
void mr_route_run_graph(mr_call *call);

/* playback.c */
void mr_route_media(mr_call *call);
void mr_route_media_ended(mr_call *call);
void mr_route_media_options(mr_call *call);
void mr_route_playback(mr_call *call);
void mr_route_position(mr_call *call);
void mr_route_set_position(mr_call *call);
void mr_route_views(mr_call *call);
void mr_route_add_view(mr_call *call);

/* videos.c */
void mr_route_videos(mr_call *call);
void mr_route_video(mr_call *call);
void mr_route_add_video(mr_call *call);
void mr_route_edit_video(mr_call *call);
void mr_route_replace_video(mr_call *call);
void mr_route_remove_video(mr_call *call);
void mr_route_process_video(mr_call *call);

/* stats.c */
void mr_route_video_stats(mr_call *call);
void mr_route_admin_stats(mr_call *call);

/* videos_beside.c */
void mr_route_put_captions(mr_call *call);
void mr_route_remove_captions(mr_call *call);
void mr_route_set_poster(mr_call *call);
void mr_route_poster(mr_call *call);
void mr_route_video_events(mr_call *call);

/* page.c */
void mr_route_page(mr_call *call);

#endif
