// What the API answers, as far as the page reads it; api-server/openapi.yaml is the whole.

export interface List<T> {
  items: T[];
  next: string | null;
}

export type Role = 'viewer' | 'creator' | 'admin';

export interface User {
  id: string;
  email: string;
  name: string;
  role: Role;
  created_at: string;
  disabled: boolean;
  quota_bytes: number | null;
  used_bytes: number;
}

export interface Session {
  access_token: string;
  expires_in: number;
  user: User;
}

export interface ServerInfo {
  name: string;
  version: string;
  registration: boolean; // anyone may make an account
  max_upload_bytes: number | null;
}

export interface ApiKey {
  id: string;
  name: string;
  scopes: string[];
  created_at: string;
  expires_at: string | null;
  last_used_at?: string | null;
}

export interface NewApiKey extends ApiKey {
  key: string; // for Authorization: Bearer
  secret?: string; // for signatures of S3's kind, beside the id
}

export type VideoStatus = 'created' | 'uploading' | 'processing' | 'ready' | 'failed';
export type Visibility = 'public' | 'unlisted' | 'private';

export interface Reason {
  code: string;
  message: string;
}

export interface Video {
  id: string;
  title: string;
  description: string;
  tags: string[];
  category: string;
  language: string;
  visibility: Visibility;
  owner: {id: string; name: string};
  status: VideoStatus;
  playable: boolean;
  complete: boolean;
  reason: Reason | null;
  progress: number;
  duration: number | null;
  width: number | null;
  height: number | null;
  size: number | null;
  run: string | null;
  pipeline: string | null;
  poster_url: string | null;
  created_at: string;
  updated_at: string;
  published_at: string | null;
  views: number;
  etag: string;
}

export type VideoChanges = Partial<Pick<Video, 'title' | 'description' | 'tags' | 'category' | 'language' | 'visibility'>>;

export interface NewVideo {
  video: Video;
  upload: {tus: {url: string}};
}

export interface Subtitle {
  lang: string;
  label: string;
  url: string;
}

export interface Playback {
  hls: {url: string} | null;
  dash: {url: string} | null;
  poster: {url: string} | null;
  storyboard: {url: string} | null;
  subtitles: Subtitle[];
  expires_at: string;
  position: number | null;
  complete: boolean;
  duration: number | null;
}

export type RunState = 'waiting' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'interrupted';
export type NodeState = 'pending' | 'ready' | 'running' | 'succeeded' | 'cached' | 'failed' | 'cancelled' | 'skipped' | 'stopped';

export interface RunNode {
  node: string;
  op: string;
  state: NodeState;
  tasks?: number; // how many there will be, where that is known
  done: number;
  cached: number;
  failed: number;
  cpu_seconds: number;
}

export interface RunSummary {
  id: string;
  video?: string | null;
  title?: string; // of its video
  pipeline: string;
  state: RunState;
  reason?: Reason | string | null;
  started_at: string;
  ended_at: string | null;
  tasks: number;
  done: number;
  cached: number;
  failed: number;
}

export interface Run extends RunSummary {
  nodes: RunNode[];
  edges: [string, string][];
}

export interface Day {
  day: string; // "2026-11-21", of UTC
  views: number;
}

export interface VideoStats {
  views: number;
  days: Day[];
  stopped: number[] | null; // viewers, by tenths of the video
}

export interface ServerStats {
  version: string;
  uptime_seconds: number;
  users: number;
  videos: Record<VideoStatus, number>;
  views: {total: number; days: Day[]};
  storage: {sources_bytes: number; free_bytes: number | null; disk_bytes: number | null};
  uploads: {open: number; started: number; completed: number; failed: number; bytes: number};
  processing: {
    queue_length: number; runs_started: number; runs_succeeded: number; runs_failed: number; tasks_done: number; tasks_cached: number;
    mean_seconds: number | null; mean_seconds_to_playable: number | null;
  };
  http: {connections: number; event_streams: number; sign_ins_refused: number; requests_limited: number};
}

export interface LogEntry {
  time?: string;
  event?: string;
  node?: string;
  item?: string;
  level?: string;
  message?: string;
  [field: string]: unknown;
}

export interface Pipeline {
  name: string;
  description: string;
}

// Server-sent events of a video and of a run.
export interface UploadEvent {
  received: number;
  size: number | null;
}

export interface StatusEvent {
  status: VideoStatus;
  playable: boolean;
  complete: boolean;
  reason: Reason | null;
  progress?: number;
}

export interface NodeEvent {
  node: string;
  state: NodeState;
  done: number;
  total: number;
  progress: number; // of the whole run
}

export interface TaskEvent {
  node: string;
  item: string;
  state: NodeState;
  fraction: number;
}
