"""Decodes every frame of videos to RGB with PyAV, one codec thread, as `vifi-prompt bench decode VIDEOS` does.
usage: decode_pyav.py VIDEO ...; needs `pip install av numpy`"""
import sys, time
import av
times = []
for _ in range(3):
    start = time.perf_counter()
    frames = 0
    for path in sys.argv[1:]:
        with av.open(path) as video:
            video.streams.video[0].thread_count = 1
            for frame in video.decode(video=0):
                frame.to_ndarray(format="rgb24")
                frames += 1
    times.append(time.perf_counter() - start)
print(f"pyav videos={len(sys.argv) - 1} frames={frames} frames/s={frames / sorted(times)[1]:.0f}")
