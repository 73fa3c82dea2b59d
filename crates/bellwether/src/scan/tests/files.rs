//! Small valid files of every kind that is scanned, written byte by byte from their formats'
//! descriptions, with the metadata that a test wants in them.

use std::io::Write as _;

use lopdf::{Document, Object, Stream, dictionary};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// The beginning of an InDesign database: the GUID of its first page.
const INDESIGN: [u8; 16] = [
    0x06, 0x06, 0xed, 0xf5, 0xd8, 0x1d, 0x46, 0xe5, 0xbd, 0x31, 0xef, 0xe7, 0xfe, 0x74, 0xb7, 0x1d,
];

/// A packet around the properties of one description.
pub(crate) fn packet(attributes: &str, properties: &str) -> String {
    format!(
        "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\" xmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n\
         xmlns:xmpMM=\"http://ns.adobe.com/xap/1.0/mm/\"\n\
         xmlns:stRef=\"http://ns.adobe.com/xap/1.0/sType/ResourceRef#\"\n\
         xmlns:stMfs=\"http://ns.adobe.com/xap/1.0/sType/ManifestItem#\"\n\
         xmlns:stEvt=\"http://ns.adobe.com/xap/1.0/sType/ResourceEvent#\"\n\
         xmlns:photoshop=\"http://ns.adobe.com/photoshop/1.0/\" {attributes}>\n\
         {properties}\n</rdf:Description></rdf:RDF></x:xmpmeta>\n\
         <?xpacket end=\"w\"?>"
    )
}

/// An ingredient with a path.
pub(crate) fn ingredient(path: &str) -> String {
    format!(
        "<xmpMM:Ingredients><rdf:Bag><rdf:li rdf:parseType=\"Resource\">\
         <stRef:linkForm>ReferenceStream</stRef:linkForm>\
         <stRef:filePath>{path}</stRef:filePath></rdf:li></rdf:Bag></xmpMM:Ingredients>"
    )
}

/// An image resource with its even padding.
pub(crate) fn resource(id: u16, name: &[u8], body: &[u8]) -> Vec<u8> {
    let mut out = b"8BIM".to_vec();
    out.extend(id.to_be_bytes());
    out.push(u8::try_from(name.len()).unwrap());
    out.extend(name);
    if name.len().is_multiple_of(2) {
        out.push(0);
    }
    out.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(body);
    if !body.len().is_multiple_of(2) {
        out.push(0);
    }
    out
}

/// A Photoshop document of one white pixel with these image resources.
pub(crate) fn psd(resources: &[u8]) -> Vec<u8> {
    let mut out = b"8BPS\x00\x01\0\0\0\0\0\0\x00\x01\0\0\0\x01\0\0\0\x01\x00\x08\x00\x01".to_vec();
    out.extend(0_u32.to_be_bytes());
    out.extend(u32::try_from(resources.len()).unwrap().to_be_bytes());
    out.extend(resources);
    out.extend(0_u32.to_be_bytes());
    out.extend(b"\0\0\xff");
    out
}

/// A PDF of one empty page. The document's metadata may be compressed, and so may be that of a
/// picture in it.
pub(crate) fn pdf(own: &str, of_picture: Option<&str>, compressed: bool) -> Vec<u8> {
    let mut document = Document::with_version("1.7");
    let metadata = |text: &str| {
        let kind = dictionary! { "Type" => "Metadata", "Subtype" => "XML" };
        let mut stream = Stream::new(kind, text.as_bytes().to_vec());
        if compressed {
            stream.compress().unwrap();
        }
        stream
    };
    let own = document.add_object(metadata(own));
    let mut pictures = dictionary! {};
    if let Some(text) = of_picture {
        let about = document.add_object(metadata(text));
        let picture = dictionary! {
            "Type" => "XObject", "Subtype" => "Image", "Width" => 1, "Height" => 1,
            "ColorSpace" => "DeviceGray", "BitsPerComponent" => 8, "Metadata" => about,
        };
        let picture = document.add_object(Stream::new(picture, vec![0]));
        pictures.set("Im1", picture);
    }
    let pages = document.new_object_id();
    let page = document.add_object(dictionary! {
        "Type" => "Page", "Parent" => pages, "MediaBox" => vec![0.into(), 0.into(), 9.into(), 9.into()],
        "Resources" => dictionary! { "XObject" => pictures },
    });
    let kids = dictionary! { "Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1 };
    document.objects.insert(pages, Object::Dictionary(kids));
    let catalog = dictionary! { "Type" => "Catalog", "Pages" => pages, "Metadata" => own };
    let catalog = document.add_object(catalog);
    document.trailer.set("Root", catalog);
    let mut out = Vec::new();
    document.save_to(&mut out).unwrap();
    out
}

/// As much of an InDesign document as tells that it is one: the first page of its database, other
/// bytes, and its packet.
pub(crate) fn indd(packet: &str) -> Vec<u8> {
    let mut out = INDESIGN.to_vec();
    out.extend(b"DOCUMENT\x01");
    out.resize(4096, 0);
    out.extend((0..20_000_u32).flat_map(u32::to_le_bytes));
    out.extend(packet.as_bytes());
    out.extend(vec![0; 4096]);
    out
}

/// An IDML document with these links on a spread and with this XMP.
pub(crate) fn idml(links: &str, metadata: &str) -> Vec<u8> {
    let spread = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <idPkg:Spread xmlns:idPkg=\"http://ns.adobe.com/AdobeInDesign/idml/1.0/packaging\" \
         DOMVersion=\"18.0\"><Spread Self=\"ub6\"><Rectangle Self=\"u1\"><Image Self=\"u2\">\
         {links}</Image></Rectangle></Spread></idPkg:Spread>"
    );
    let map = "<?xml version=\"1.0\"?><?aid style=\"50\"?><Document DOMVersion=\"18.0\"/>";
    archive(&[
        ("mimetype", "application/vnd.adobe.indesign-idml-package"),
        ("designmap.xml", map),
        ("Spreads/Spread_ub6.xml", &spread),
        ("META-INF/metadata.xml", metadata),
    ])
}

/// A ZIP with these entries.
pub(crate) fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, body) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(body.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A link of an IDML document.
pub(crate) fn link(uri: &str, more: &str) -> String {
    format!(
        "<Link Self=\"u3\" AssetURL=\"$ID/\" AssetID=\"$ID/\" LinkResourceURI=\"{uri}\" \
         LinkResourceFormat=\"$ID/JPEG\" StoredState=\"Normal\" {more}/>"
    )
}
