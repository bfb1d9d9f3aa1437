import Files
import VideoData

/// Lists of videos and of class names, ours and as data sets publish them.
let listParsers: [Parser] = [
    Parser(
        name: "annotations",
        seeds: ["a/b c.mp4 0\n\"d, e.avi\" 12\r\nf.webm 3 4\n", "\u{FEFF}x.mp4 1\n\nx.mp4 1\n"].map { Array($0.utf8) }
    ) { input, path in
        overwrite(path, with: input)
        _ = try AnnotationList.read(path, classCount: 20)
    },
    Parser(name: "classes", seeds: [Array("id,name\n0,\"Pushing [something], then \"\"stop\"\"\"\r\n1,b\n".utf8)]) { input, path in
        overwrite(path, with: input)
        _ = try ClassNames.read(path)
    },
    Parser(name: "published", seeds: publishedSeeds.map { Array($0.utf8) }) { input, path in
        overwrite(path, with: input)
        let files = try PublishedFile.files(at: path)
        if try ImportedCaptions.takes(files) { _ = try ImportedCaptions(files) } else { _ = try ImportedSet(files) }
    },
    Parser(name: "captions", seeds: [Array("video,caption\na b.mp4,\"a man, \"\"Bob\"\"\nwaves\"\r\nc.mp4,d\n".utf8)]) { input, path in
        overwrite(path, with: input)
        _ = try CaptionList.read(path)
    },
]

/// Kinetics, UCF-101, HMDB-51, Something-Something, lists of paths and labels, and MSR-VTT.
private let publishedSeeds = [
    "label,youtube_id,time_start,time_end,split\n\"a, b\",0wR5jVB-WPk,417,427,train\nc,3caPS4FHFF8,0,10,train\n",
    "1 ApplyEyeMakeup\n2 Archery\n", "v_a_g01_c01.avi 1\nv_b.avi 0\nv_c.avi 2\n",
    "[{\"id\":\"78687\",\"label\":\"holding x\",\"template\":\"Holding [something]\",\"placeholders\":[\"x\"]}]",
    "{\"Approaching [something]\":\"0\",\"Attaching [something]\":\"1\"}",
    "Archery/v_Archery_g08_c01.avi 2\nArchery/v.avi 1\n", "a b.mp4,0\nc.mp4,1\n",
    "{\"videos\":[{\"video_id\":\"video1\",\"split\":\"train\"}],\"sentences\":[{\"caption\":\"a, b\",\"video_id\":\"video1\"}]}",
    "key,vid_key,video_id,sentence\nret0,msr9770,video9770,\"a, b\"\n",
]
