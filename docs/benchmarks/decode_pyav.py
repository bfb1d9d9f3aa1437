"""Decodes every frame of films to RGB with PyAV, one codec thread, as `vifi-prompt bench decode FILMS` does.
usage: decode_pyav.py FILM ...; needs `pip install av numpy`"""
import sys, time
import av
times = []
for _ in range(3):
    start = time.perf_counter()
    frames = 0
    for path in sys.argv[1:]:
        with av.open(path) as film:
            film.streams.video[0].thread_count = 1
            for frame in film.decode(video=0):
                frame.to_ndarray(format="rgb24")
                frames += 1
    times.append(time.perf_counter() - start)
print(f"pyav films={len(sys.argv) - 1} frames={frames} frames/s={frames / sorted(times)[1]:.0f}")
