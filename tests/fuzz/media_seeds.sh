#!/usr/bin/env bash
# Made the seeds in corpus/media: tiny pictures and tones of ffmpeg's own generators, one file per container and codec that is read. They are kept in
# the tree, because another build of the encoders would give other bytes; run this to make more of them.
#   media_seeds.sh FOLDER
set -euo pipefail
cd "${1:?the folder to write to}"

picture=(-f lavfi -i "testsrc2=size=64x64:rate=10:duration=0.4")
tone=(-f lavfi -i "sine=frequency=440:sample_rate=16000:duration=0.3")
plain=(-fflags +bitexact -flags:v +bitexact -flags:a +bitexact -map_metadata -1)
h264=(-c:v libx264 -preset ultrafast -crf 45 -threads 1 -bsf:v "filter_units=remove_types=6")
make() { ffmpeg -v error -nostdin -y "$@"; }

printf '1\n00:00:00,000 --> 00:00:01,500\n<i>One</i> &amp; two\n\n' >words.srt

make "${picture[@]}" "${tone[@]}" "${h264[@]}" -c:a aac -b:a 16k "${plain[@]}" h264-aac.mp4
make "${picture[@]}" "${h264[@]}" "${plain[@]}" -movflags +faststart front.mp4
make "${picture[@]}" "${h264[@]}" "${plain[@]}" -g 2 -movflags +frag_keyframe+empty_moov+default_base_moof fragmented.mp4
make "${picture[@]}" -i words.srt "${h264[@]}" -c:s mov_text "${plain[@]}" text.mp4
make "${picture[@]}" -c:v libx265 -preset ultrafast -crf 45 -x265-params log-level=none:info=0:pools=1 -tag:v hvc1 "${plain[@]}" hevc.mp4
SVT_LOG=0 make "${picture[@]}" -c:v libsvtav1 -preset 12 -crf 60 "${plain[@]}" av1.mp4
make "${picture[@]}" -c:v mpeg4 -q:v 25 "${plain[@]}" mpeg4.mov
make "${picture[@]}" "${tone[@]}" "${h264[@]}" -c:a libmp3lame -b:a 16k "${plain[@]}" h264-mp3.mkv
make "${picture[@]}" -i words.srt "${h264[@]}" -c:s ass "${plain[@]}" ass.mkv
make "${picture[@]}" "${tone[@]}" -c:v libvpx -deadline realtime -b:v 20k -c:a libopus -b:a 8k "${plain[@]}" vp8-opus.webm
make "${picture[@]}" -c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 20k "${plain[@]}" vp9.webm
make "${picture[@]}" "${h264[@]}" "${plain[@]}" -f mpegts h264.mpegts
make "${picture[@]}" "${tone[@]}" -c:v mpeg2video -q:v 31 -c:a mp2 -b:a 32k "${plain[@]}" -r 25 mpeg2.mpg
make "${picture[@]}" -c:v mjpeg -q:v 31 -t 0.2 "${plain[@]}" mjpeg.avi
make "${picture[@]}" -c:v flv1 -q:v 31 "${plain[@]}" flv1.flv
make "${picture[@]}" -c:v libtheora -q:v 0 "${plain[@]}" theora.ogg
make "${picture[@]}" -c:v wmv2 -q:v 31 "${plain[@]}" wmv2.asf
make "${picture[@]}" -c:v ffv1 -t 0.1 "${plain[@]}" ffv1.nut
make "${tone[@]}" -c:a pcm_s16le -ar 8000 -t 0.05 "${plain[@]}" pcm.wav
make "${tone[@]}" -c:a flac -ar 8000 -t 0.1 -metadata_header_padding 0 "${plain[@]}" flac.flac
make "${tone[@]}" -c:a libmp3lame -b:a 16k "${plain[@]}" -write_xing 0 -id3v2_version 0 mp3.mp3
make "${tone[@]}" -c:a aac -b:a 16k "${plain[@]}" aac.aac
make "${tone[@]}" -c:a ac3 -b:a 32k -ar 32000 "${plain[@]}" ac3.ac3
make "${tone[@]}" -c:a pcm_s16be -ar 8000 -t 0.05 "${plain[@]}" pcm.aiff
make "${tone[@]}" -c:a libopus -b:a 8k "${plain[@]}" opus.ogg
