//! Files of every kind, written here, and what is read out of them; then what is broken, large or
//! deep, and which asset a reference means.

mod files;

use std::path::PathBuf;

use super::*;
use files::{archive, idml, indd, ingredient, link, packet, pdf, psd, resource};

const A: &str = "3f0c7f3e-9f1b-4a43-8f6e-2d1f6a0c9b11";
const B: &str = "9b2d1c55-0000-4c1e-9a55-7d0000000001";

/// What a file without metadata says.
const SILENT: &str = "silent";

/// What a file of this name and content refers to.
fn of(name: &str, content: &[u8]) -> Result<Vec<Reference>, String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    read(&path).map_err(|unread| match unread {
        Unread::Silent => SILENT.to_owned(),
        Unread::Broken(why) => why,
    })
}

/// Kind, how and texts of each reference, as lines.
fn lines(references: &[Reference]) -> Vec<String> {
    let line = |reference: &Reference| {
        let texts: Vec<&str> = reference
            .texts
            .iter()
            .map(|(_, text)| text.as_str())
            .collect();
        format!(
            "{} {} {}",
            reference.kind,
            reference.how.word(),
            texts.join(" ")
        )
    };
    references.iter().map(line).collect()
}

fn read_lines(name: &str, content: &[u8]) -> Vec<String> {
    lines(&of(name, content).unwrap_or_else(|why| panic!("{name}: {why}")))
}

#[test]
fn photoshop_keeps_its_xmp_in_an_image_resource() {
    let own = packet(
        "xmpMM:DocumentID=\"adobe:docid:own\"",
        &ingredient("/assets/sun.jpg"),
    );
    let inner = packet(
        "xmpMM:DocumentID=\"xmp.did:inner\"",
        "<dc:identifier>asset-7</dc:identifier>",
    );
    let mut resources = resource(1005, b"", &[0; 16]);
    resources.extend(resource(1036, b"odd", &[1; 7]));
    resources.extend(resource(1060, b"", own.as_bytes()));
    let mut file = psd(&resources);
    file.extend(inner.as_bytes());
    let want = [
        "xmpMM:Ingredients linked /assets/sun.jpg",
        "embedded XMP embedded xmp.did:inner asset-7",
    ];
    assert_eq!(read_lines("poster.psd", &file), want);
    // Without its resource, or cut off in the middle, there is nothing or a sentence.
    assert!(of("poster.psd", &psd(&[])).unwrap_err().contains(SILENT));
    assert!(
        of("poster.psd", &file[..30])
            .unwrap_err()
            .contains("Photoshop")
    );
    let mut lying = b"8BPS".to_vec();
    lying.extend([0xff; 200]);
    assert!(of("poster.psd", &lying).is_err());
}

#[test]
fn pdf_and_illustrator_have_metadata_streams() {
    let own = packet(
        "xmpMM:DocumentID=\"xmp.did:flyer\"",
        &ingredient("file:///a%20b/sun.jpg"),
    );
    let inner = packet("xmpMM:DocumentID=\"xmp.did:inner\"", "");
    for (name, compressed) in [("flyer.pdf", false), ("flyer.pdf", true), ("logo.ai", true)] {
        let found = read_lines(name, &pdf(&own, Some(&inner), compressed));
        let want = [
            "xmpMM:Ingredients linked file:///a%20b/sun.jpg",
            "embedded XMP embedded xmp.did:inner",
        ];
        assert_eq!(found, want, "{name} {compressed}");
    }
    assert_eq!(read_lines("flyer.pdf", &pdf(&own, None, true)).len(), 1);
    // A damaged file is looked through for what lies open in it.
    let mut damaged = b"%PDF-1.7\n%garbage\n".to_vec();
    damaged.extend(own.as_bytes());
    assert_eq!(read_lines("flyer.pdf", &damaged).len(), 1);
    assert_eq!(of("flyer.pdf", b"%PDF-1.7\n%%EOF"), Err(SILENT.to_owned()));
}

#[test]
fn indesign_is_read_by_its_packet_and_its_exchange_format_by_its_links() {
    let manifest = format!(
        "<xmpMM:Manifest><rdf:Bag>\
         <rdf:li stMfs:linkForm=\"ReferenceStream\"><stMfs:reference stRef:documentID=\"xmp.did:1\" \
         stRef:filePath=\"/assets/{A}.psd\"/></rdf:li>\
         <rdf:li rdf:parseType=\"Resource\"><stMfs:linkForm>EmbedByReference</stMfs:linkForm>\
         <stMfs:reference rdf:parseType=\"Resource\"><stRef:documentID>xmp.did:2</stRef:documentID>\
         </stMfs:reference></rdf:li></rdf:Bag></xmpMM:Manifest>"
    );
    let want = [
        format!("xmpMM:Manifest linked xmp.did:1 /assets/{A}.psd"),
        "xmpMM:Manifest embedded xmp.did:2".to_owned(),
    ];
    assert_eq!(
        read_lines("flyer.indd", &indd(&packet("", &manifest))),
        want
    );
    let links = link("file:/Users/eve/sun%20rise.jpg?x=1&amp;y=2", "")
        + &link("file:logo.ai", "").replace("Normal", "Embedded")
        + &link("cc:1", "").replace("AssetID=\"$ID/\"", "AssetID=\"$ID/asset-9\"");
    let document = idml(&links, &packet("", &ingredient("old.jpg")));
    let want = [
        "Link linked file:/Users/eve/sun%20rise.jpg?x=1&y=2",
        "Link embedded file:logo.ai",
        "Link linked asset-9 cc:1",
        "xmpMM:Ingredients linked old.jpg",
    ];
    assert_eq!(read_lines("flyer.idml", &document), want);
    assert!(
        of("flyer.idml", &archive(&[("a", "b")]))
            .unwrap_err()
            .contains("designmap")
    );
    assert!(
        of("flyer.idml", &document[..200])
            .unwrap_err()
            .contains("no IDML")
    );
}

#[test]
fn drawings_link_pictures() {
    let drawing = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\">\
         <image xlink:href=\"photos/{A}.jpg\"/><image href='https://a.example/x'/><use href=\"#g\"/>\
         <image href=\"data:image/png;base64,AAAA\"/><a href=\"https://elsewhere\"/></svg>"
    );
    let want = [
        format!("href linked photos/{A}.jpg"),
        "href linked https://a.example/x".to_owned(),
    ];
    assert_eq!(read_lines("map.svg", drawing.as_bytes()), want);
    assert_eq!(read_lines("map.svg", b"<svg/>"), [""; 0]);
    for broken in ["<svg><image href='x'></svg>", "plain text", "<html/>"] {
        assert!(of("map.svg", broken.as_bytes()).is_err(), "{broken}");
    }
}

#[test]
fn xmp_is_read_in_all_its_forms_and_what_is_no_link_is_not() {
    let properties = "\
        <xmpMM:History><rdf:Seq><rdf:li stRef:filePath=\"no.jpg\" stEvt:action=\"saved\"/>\
        </rdf:Seq></xmpMM:History>\
        <xmpMM:DerivedFrom stRef:documentID=\"did:parent\" stRef:instanceID=\"iid:parent\"/>\
        <photoshop:DocumentAncestors><rdf:Bag><rdf:li>did:pasted</rdf:li>\
        <rdf:li>Tom &amp; Eve&#33;</rdf:li></rdf:Bag></photoshop:DocumentAncestors>\
        <xmpMM:Ingredients><rdf:Bag><rdf:li><rdf:Description stRef:instanceID=\"iid:9\">\
        <stRef:alternatePaths><rdf:Seq><rdf:li>/b/x.jpg</rdf:li></rdf:Seq></stRef:alternatePaths>\
        </rdf:Description></rdf:li></rdf:Bag></xmpMM:Ingredients>\
        <xmpMM:Pantry><rdf:Bag><rdf:li><rdf:Description xmpMM:InstanceID=\"iid:9\">\
        <dc:identifier>asset-9</dc:identifier></rdf:Description></rdf:li>\
        <rdf:li><rdf:Description xmpMM:InstanceID=\"iid:other\"/></rdf:li></rdf:Bag></xmpMM:Pantry>";
    let want = [
        "xmpMM:DerivedFrom derived did:parent iid:parent",
        "photoshop:DocumentAncestors embedded did:pasted",
        "photoshop:DocumentAncestors embedded Tom & Eve!",
        "xmpMM:Ingredients linked iid:9 /b/x.jpg asset-9",
    ];
    let text = packet("xmpMM:DocumentID=\"did:own\"", properties);
    assert_eq!(read_lines("a.indd", text.as_bytes()), want);
    // Names are told apart by namespace, not by prefix.
    let other = text
        .replace("xmpMM:", "mm:")
        .replace("xmlns:xmpMM", "xmlns:mm");
    assert_eq!(
        read_lines(
            "a.indd",
            other
                .replace("stRef:", "r:")
                .replace("xmlns:stRef", "xmlns:r")
                .as_bytes()
        ),
        want
    );
    let foreign = text.replace("http://ns.adobe.com/xap/1.0/mm/", "http://example.com/mm/");
    assert_eq!(read_lines("a.indd", foreign.as_bytes()).len(), 2);
}

#[test]
fn what_is_broken_large_or_deep_is_a_sentence() {
    let deep = packet("", &"<a>".repeat(5_000));
    let cut = &packet("", &ingredient("x.jpg"))[..700];
    let entity = "<!DOCTYPE x [<!ENTITY e \"eeeeeeeeee\">]>";
    let with_entity = packet("", "<dc:identifier>&e;</dc:identifier>")
        .replace("<x:xmpmeta", &format!("{entity}<x:xmpmeta"));
    for (name, content) in [
        ("a.indd", deep.as_bytes()),
        ("a.indd", cut.as_bytes()),
        ("a.indd", b"".as_slice()),
        ("a.indd", b"nothing in it".as_slice()),
        ("a.psd", b"8BPS".as_slice()),
        ("a.idml", b"PK\x03\x04 and no more".as_slice()),
    ] {
        let why = of(name, content).unwrap_err();
        assert!(!why.is_empty(), "{name}");
    }
    assert_eq!(
        read_lines("a.indd", with_entity.as_bytes()),
        [""; 0],
        "no entity is expanded"
    );
    // A small archive that would come to much.
    let spaces = " ".repeat(70 * 1024 * 1024);
    let bomb = archive(&[("designmap.xml", "<a/>"), ("Spreads/Spread_1.xml", &spaces)]);
    assert!(bomb.len() < 1024 * 1024);
    assert!(
        of("bomb.idml", &bomb)
            .unwrap_err()
            .contains("larger than it may be")
    );
    let long = "x".repeat(TEXT_MAX + 1);
    assert_eq!(
        read_lines("a.indd", packet("", &ingredient(&long)).as_bytes()),
        [""; 0]
    );
}

fn reference(place: Place, text: &str) -> Reference {
    let mut reference = Reference::new("test", How::Linked);
    reference.add(place, text);
    reference
}

#[test]
fn patterns_say_which_asset_is_meant_and_on_what_basis() {
    let patterns = Patterns::shipped().unwrap();
    let found = |place, text: &str| {
        let found = patterns.resolve(&reference(place, text))?;
        assert_eq!(found.asset, A);
        Some((found.ours, found.how))
    };
    let upper = A.to_uppercase();
    let web = format!("https://acme.smint.io/project/{B}/content-element/{upper}");
    assert_eq!(found(Place::Path, &web), Some((false, How::Linked)));
    let encoded = web.replace('/', "%2F");
    assert_eq!(found(Place::Id, &encoded), Some((false, How::Linked)));
    for id in [
        format!("smintio:lpt:{A}"),
        format!("urn:smintio:content-element:{A}"),
    ] {
        assert_eq!(found(Place::Id, &id), Some((true, How::Linked)), "{id}");
    }
    for path in [
        format!("file:/Users/eve/sun_lpt-{A}.jpg"),
        format!("C:\\assets\\sun-ce_{A}_web.tif"),
        format!("/assets/{A}.jpg"),
        A.to_owned(),
    ] {
        assert_eq!(
            found(Place::Path, &path),
            Some((true, How::Named)),
            "{path}"
        );
    }
    // An identifier of XMP itself is no asset, and neither is a UUID of a folder.
    for (place, text) in [
        (Place::Id, format!("xmp.did:{A}")),
        (Place::Id, A.to_owned()),
        (Place::Path, format!("/{A}/sun.jpg")),
        (Place::Path, "/assets/sun.jpg".to_owned()),
    ] {
        assert_eq!(patterns.resolve(&reference(place, &text)), None, "{text}");
    }
}

#[test]
fn patterns_of_ones_own_are_checked_and_files_may_be_named() {
    let own = "patterns:\n  - name: number\n    in: path\n    find: 'asset-(?<asset>[0-9]+)'\n\
               files:\n  Logo 2026.ai: the-logo\n";
    let patterns = Patterns::read(own, "mine.yaml").unwrap();
    let asset = |path: &str| {
        let found = patterns.resolve(&reference(Place::Path, path))?;
        Some((found.asset, found.how))
    };
    assert_eq!(
        asset("x/asset-42.jpg"),
        Some(("42".to_owned(), How::Linked))
    );
    assert_eq!(
        asset("file:/x/LOGO%202026.ai"),
        Some(("the-logo".to_owned(), How::Named))
    );
    assert_eq!(asset("x/y.jpg"), None);
    for (wrong, says) in [
        ("patterns:\n  - name: x\n    find: 'a(b'\n", "mine.yaml:2"),
        ("patterns:\n  - name: x\n    find: 'abc'\n", "(?<asset>"),
        (
            "patterns:\n  - name: x\n    in: air\n    find: '(?<asset>a)'\n",
            "`in`",
        ),
        (
            "patterns:\n  - name: x\n    basis: hope\n    find: '(?<asset>a)'\n",
            "`basis`",
        ),
        (
            "patterns:\n  - name: x\n    how: sewn\n    find: '(?<asset>a)'\n",
            "`how`",
        ),
        ("pattern: []\n", "pattern"),
    ] {
        let lines = Patterns::read(wrong, "mine.yaml").unwrap_err().join("\n");
        assert!(lines.contains(says), "{lines}");
    }
}

#[test]
fn a_folder_is_walked_without_following_links() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.indd"), "x").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inside = folder.path().join("Campaign");
    std::fs::create_dir(&inside).unwrap();
    for name in ["b.INDD", "a.psd", "._a.psd", "photo.jpg", "readme.txt"] {
        std::fs::write(inside.join(name), "x").unwrap();
    }
    std::os::unix::fs::symlink(outside.path(), inside.join("away")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.indd"), inside.join("c.indd")).unwrap();
    std::os::unix::fs::symlink(folder.path(), inside.join("circle")).unwrap();
    let walked = walk(folder.path()).unwrap();
    let names: Vec<_> = walked
        .files
        .iter()
        .map(|path| path.file_name().unwrap())
        .collect();
    assert_eq!(names, ["a.psd", "b.INDD"]);
    assert_eq!(walked.left_out.len(), 1);
    assert!(walked.left_out[0].1.contains("symbolic link"));
    assert!(walk(&folder.path().join("none")).is_err());
}
