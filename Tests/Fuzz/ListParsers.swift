import Files
import VideoData

/// Lists of videos and of class names, ours and as data sets publish them.
let listParsers: [Parser] = [
    Parser(
        name: "annotations",
        seeds: ["a/b c.mp4 0\n\"d, e.avi\" 12\r\nf.webm 3 4\n", "\u{FEFF}x.mp4 1\n\nx.mp4 1\n", "a b.mp4 3.0 7.5 2\nc.mp4 0:01 0:02.5 1\n", "path,start,end,label\na.mp4,3,7.5,2\n"].map { Array($0.utf8) }
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
        if try ImportedCaptions.takes(files) {
            _ = try ImportedCaptions(files)
        } else if ImportedAnnotations.takes(files) {
            _ = try ImportedAnnotations(files, options: .init(frameRate: 25)).set(in: nil, skipsMissing: false)
        } else {
            _ = try ImportedSet(files)
        }
    },
    Parser(name: "captions", seeds: [Array("video,caption\na b.mp4,\"a man, \"\"Bob\"\"\nwaves\"\r\nc.mp4,d\n".utf8)]) { input, path in
        overwrite(path, with: input)
        _ = try CaptionList.read(path)
    },
]

/// Kinetics, UCF-101, HMDB-51, Something-Something, lists of paths and labels, MSR-VTT, and annotation programs.
private let publishedSeeds = [
    "label,youtube_id,time_start,time_end,split\n\"a, b\",0wR5jVB-WPk,417,427,train\nc,3caPS4FHFF8,0,10,train\n",
    "1 ApplyEyeMakeup\n2 Archery\n", "v_a_g01_c01.avi 1\nv_b.avi 0\nv_c.avi 2\n",
    "[{\"id\":\"78687\",\"label\":\"holding x\",\"template\":\"Holding [something]\",\"placeholders\":[\"x\"]}]",
    "{\"Approaching [something]\":\"0\",\"Attaching [something]\":\"1\"}",
    "Archery/v_Archery_g08_c01.avi 2\nArchery/v.avi 1\n", "a b.mp4,0\nc.mp4,1\n",
    "{\"videos\":[{\"video_id\":\"video1\",\"split\":\"train\"}],\"sentences\":[{\"caption\":\"a, b\",\"video_id\":\"video1\"}]}",
    "key,vid_key,video_id,sentence\nret0,msr9770,video9770,\"a, b\"\n",
    "<?xml version=\"1.0\"?><ANNOTATION_DOCUMENT><HEADER TIME_UNITS=\"milliseconds\"><MEDIA_DESCRIPTOR MEDIA_URL=\"file:///a%20b.mp4\"/></HEADER>"
        + "<TIME_ORDER><TIME_SLOT TIME_SLOT_ID=\"t1\" TIME_VALUE=\"0\"/><TIME_SLOT TIME_SLOT_ID=\"t2\" TIME_VALUE=\"90\"/></TIME_ORDER><TIER TIER_ID=\"x\">"
        + "<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID=\"a1\" TIME_SLOT_REF1=\"t1\" TIME_SLOT_REF2=\"t2\"><ANNOTATION_VALUE>a &amp; b</ANNOTATION_VALUE>"
        + "</ALIGNABLE_ANNOTATION></ANNOTATION></TIER></ANNOTATION_DOCUMENT>",
    "<annotations><meta><source>a.mp4</source></meta><track label=\"x\"><box frame=\"3\" outside=\"0\"/><box frame=\"9\" outside=\"1\"/></track>"
        + "<image id=\"4\"><tag label=\"y\"/></image></annotations>",
    "[{\"id\":1,\"data\":{\"video\":\"/data/upload/1/0b9ca1e4-a.mp4?x\"},\"annotations\":[{\"result\":[{\"type\":\"timelinelabels\",\"value\":{\"ranges\":"
        + "[{\"start\":1,\"end\":9}],\"timelinelabels\":[\"x\"]}},{\"type\":\"choices\",\"value\":{\"choices\":[\"y\"]}}]}]}]",
    "[{\"video\":\"a.mp4\",\"label\":\"x\",\"start\":0.5,\"end\":2}]",
    "video,prompts,start,end,answer,probability\na.mp4,,0.0,2.0,x,0.9\na.mp4,,1.0,3.0,none,\n",
    "{\"schema\":1,\"segments\":[{\"answer\":{\"class\":\"x\",\"label\":0},\"end\":2,\"start\":0}],\"video\":\"a.mp4\"}\n",
]
